#pragma once
// The identity of a run: its specification and its data. A run's folder belongs to one run; another
// specification or other data are refused, and say what differs.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "harness/run/data.h"
#include "harness/run/spec.h"
#include "results/record/record.h"

namespace lra::harness {

// True if the file is there. Throws Error(io) where that cannot be found out.
[[nodiscard]] bool is_there(const std::filesystem::path& file);

// "task_options.max_length: 64 instead of 100; ..." for what makes two specifications differ; `got`
// instead of `expected`.
[[nodiscard]] std::string differences(const RunSpec& got, const RunSpec& expected);

// The specification as the folder's run was begun: with `--precision auto` its precision is that of
// the folder, whatever this machine would choose. Throws Error(config) if this machine cannot
// compute it.
[[nodiscard]] RunSpec as_begun(RunSpec spec, const std::filesystem::path& folder);

// The folder of a run below `base`, by its name: with `--precision auto` the one in which a run was
// begun with another precision, which `spec` then has. Throws as as_begun().
[[nodiscard]] std::filesystem::path begun_folder(
    RunSpec& spec, const std::filesystem::path& base,
    const std::function<std::string(const RunSpec&)>& name);

// Throws Error(config) if the folder holds a run of another specification, with the differences.
void require_same_run(const RunSpec& spec, const std::filesystem::path& folder);

// The data of the folder's run; those of earlier versions of the program are known from
// result.json only. Empty if there is no run or nothing is known.
[[nodiscard]] std::optional<DataUsed> data_of_folder(const std::filesystem::path& folder);

// Throws Error(data) with both descriptions if the digests differ.
void require_same_data(const DataUsed& used, const DataUsed& expected,
                       const std::filesystem::path& folder);

// Writes spec.json if the folder has none, with the data's identity and place; adds the data or a
// new place of the same data to an existing file.
void write_spec(const RunSpec& spec, const DataUsed& used, const std::filesystem::path& folder);

// The file from which a run continues, while it goes on.
inline constexpr const char* kCheckpointFile = "checkpoint.safetensors";

// The result of the folder's run if that has completed, with or without its baselines.
[[nodiscard]] std::optional<results::Record> completed_record(const std::filesystem::path& folder);

// The completed or diverged result of the specification on these data; empty if there is none. A
// completed one without baselines whose checkpoint is still there lacks them because its process
// ended too early: empty as well. Removes a checkpoint that a kill left beside an ended result.
// Throws as require_same_run and require_same_data, and Error(data) for a result.json that cannot
// be read: only a missing file means that there is no result.
[[nodiscard]] std::optional<results::Record> ended_record(const RunSpec& spec, const DataUsed& used,
                                                          const std::filesystem::path& folder);

// What result.json says of a run of that specification, ended or not, whatever its data; empty if
// there is none. Throws as ended_record().
[[nodiscard]] std::optional<results::Record> saved_record(const RunSpec& spec,
                                                          const std::filesystem::path& folder);

// Writes the record of a failure, unless the folder has a result.json of a run that has ended, or
// one that cannot be read.
void write_failure(const results::Record& record, const std::filesystem::path& folder);

}  // namespace lra::harness

#pragma once
// The identity of a run: its specification and its data. A run's folder belongs to one run; another
// specification or other data are refused with the differences.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "harness/run/data.h"
#include "harness/run/spec.h"
#include "results/record/record.h"

namespace lra::harness {

// True if the file exists. Throws Error(io) if this cannot be determined.
[[nodiscard]] bool is_there(const std::filesystem::path& file);

// "task_options.max_length: 64 instead of 100; ...": the differences between two specifications,
// `got` instead of `expected`.
[[nodiscard]] std::string differences(const RunSpec& got, const RunSpec& expected);

// The specification with which the folder's run was begun: `--precision auto` takes the folder's
// precision, whatever this machine would choose. Throws Error(config) if this machine cannot
// compute it.
[[nodiscard]] RunSpec as_begun(RunSpec spec, const std::filesystem::path& folder);

// The folder of a run below `base`, by its name. With `--precision auto` this may be the folder of
// a run begun with another precision, which `spec` then takes over. Throws as as_begun().
[[nodiscard]] std::filesystem::path begun_folder(
    RunSpec& spec, const std::filesystem::path& base,
    const std::function<std::string(const RunSpec&)>& name);

// Throws Error(config) with the differences if the folder contains a run of another specification.
void require_same_run(const RunSpec& spec, const std::filesystem::path& folder);

// The data of the folder's run; runs of earlier program versions record them in result.json only.
// Empty if there is no run or no record of its data.
[[nodiscard]] std::optional<DataUsed> data_of_folder(const std::filesystem::path& folder);

// Throws Error(data) with both descriptions if the digests differ.
void require_same_data(const DataUsed& used, const DataUsed& expected,
                       const std::filesystem::path& folder);

// Writes spec.json if the folder has none, with the identity and location of the data; adds the
// data, or a new location of the same data, to an existing file.
void write_spec(const RunSpec& spec, const DataUsed& used, const std::filesystem::path& folder);

// The file from which an unfinished run continues.
inline constexpr const char* kCheckpointFile = "checkpoint.safetensors";

// True for a completed or diverged run.
[[nodiscard]] bool has_ended(const results::Record& record);

// The result of the folder's run if it has completed, with or without its baselines.
[[nodiscard]] std::optional<results::Record> completed_record(const std::filesystem::path& folder);

// The completed or diverged result of the specification on these data; empty if there is none. Also
// empty for a completed result without baselines whose checkpoint still exists: its process ended
// too early. Removes a checkpoint that a killed process left next to an ended result. Throws as
// require_same_run and require_same_data, and Error(data) for an unreadable result.json: only a
// missing file means no result.
[[nodiscard]] std::optional<results::Record> ended_record(const RunSpec& spec, const DataUsed& used,
                                                          const std::filesystem::path& folder);

// The record in result.json for this specification, ended or not, on any data; empty if there is
// none. Throws as ended_record().
[[nodiscard]] std::optional<results::Record> saved_record(const RunSpec& spec,
                                                          const std::filesystem::path& folder);

// Writes the record of a failure, unless the folder has a result.json that is unreadable or of an
// ended run.
void write_failure(const results::Record& record, const std::filesystem::path& folder);

}  // namespace lra::harness

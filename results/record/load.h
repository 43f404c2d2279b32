#pragma once
// Finds and reads sets of result files.

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "results/record/record.h"

namespace lra::results {

// Treatment of a file that is unreadable, violates the schema, or repeats a run.
enum class OnFault { refuse, skip };

// The runs of a suite's folder that count: those named by its last `lra run`, or all existing runs,
// also of earlier versions of the suite.
enum class Members { current, all };

// The file in which `lra run` lists a suite's runs, next to their folder `runs`.
inline constexpr const char* kSuiteRunsFile = "suite-runs.json";

struct FileFault {
  std::filesystem::path file;
  std::string message;  // begins with the path
};

struct LoadedRecords {
  std::vector<Record> records;    // sorted by file path
  std::vector<FileFault> faults;  // of skipped folders and files; empty under OnFault::refuse
  std::size_t folders = 0;        // of the faults, folders that cannot be read
  std::size_t files = 0;          // result files found
  std::size_t left_out = 0;       // of them, runs that their suite no longer names
  std::size_t trials = 0;         // of them, trials of searches, which have no test accuracy
  // "skipped 2 of 14 result files:" or "skipped 1 folder and 2 of 14 result files:" and one line
  // for each; empty if none was skipped.
  [[nodiscard]] std::string fault_summary() const;
};

// Reads every result.json under each place (a file, or a folder searched through); trials of
// searches are counted and left out. The same file
// reached twice counts once. Two files with the same run id and data from the same machine are a
// fault of the second (by path); from different machines, or on other data, they are two
// measurements.
// Throws Error(data) for a place without result files or with trials alone, and under
// OnFault::refuse for the first fault, with the path and the fault. A folder that cannot be read is
// a fault (see find_files), and if nothing is found, the error.
[[nodiscard]] LoadedRecords load_records(const std::vector<std::filesystem::path>& places,
                                         OnFault on_fault, Members members = Members::all);

// Contents of kSuiteRunsFile.
struct SuiteRuns {
  std::string name;
  std::string description;
  std::vector<std::string> runs;  // names of folders below `runs`
};
// Writes `folder`/suite-runs.json. Throws Error(io).
void write_suite_runs(const std::filesystem::path& folder, const SuiteRuns& suite);
// Empty where the folder has none. Throws Error(data) for a damaged one.
[[nodiscard]] std::optional<SuiteRuns> read_suite_runs(const std::filesystem::path& folder);

struct FoundFiles {
  std::vector<std::filesystem::path> files;  // sorted, each once
  std::vector<FileFault> faults;  // of folders that cannot be read; empty under OnFault::refuse
};
// Files under the places whose name `accept` takes. A path to a file is accepted regardless of its
// name. Throws Error(io) for a place that does not exist, and under OnFault::refuse for a folder
// that cannot be read.
[[nodiscard]] FoundFiles find_files(const std::vector<std::filesystem::path>& places,
                                    const std::function<bool(const std::string& name)>& accept,
                                    OnFault on_fault);
// Files STEM.json and STEM-*.json under the places; paths to other files are ignored.
[[nodiscard]] FoundFiles find_series(const std::vector<std::filesystem::path>& places,
                                     const std::string& stem, OnFault on_fault);

// Calls read(file) for each file; an Error that it throws is a fault of that file. Returns these
// faults after those of the search.
[[nodiscard]] std::vector<FileFault> read_each(
    FoundFiles found, OnFault on_fault,
    const std::function<void(const std::filesystem::path& file)>& read);

}  // namespace lra::results

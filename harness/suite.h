#pragma once
// A suite: tasks x attentions x seeds, run one after the other into one folder and continued where
// an earlier call stopped.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/spec.h"
#include "harness/trainer.h"
#include "results/record.h"

namespace lra::harness {

struct SuiteRun {
  Request request;
  RunSpec spec;
  std::string name;  // of its folder: TASK-ATTENTION-sSEED-ID
};

struct Suite {
  std::string name;
  std::string description;
  std::vector<SuiteRun> runs;
};

[[nodiscard]] std::vector<std::string> suite_names();
// A built-in suite or a JSON file that ends in .json. `settings` are added to every run. Throws
// Error(usage) for an unknown name and Error(config) that names the path in the file.
[[nodiscard]] Suite load_suite(const std::string& name, const std::vector<std::string>& settings);
[[nodiscard]] nlohmann::json suite_file(const std::string& name);

// Runs what is not completed yet below `out`/runs. A run that fails leaves a record with its reason
// and the suite goes on. Returns the records in the suite's order; a stopped suite has fewer.
// `progress(i)` makes the progress function of run i.
[[nodiscard]] std::vector<results::Record> run_suite(
    const Suite& suite, const std::filesystem::path& out, const RunOptions& options,
    Workers& workers,
    const std::function<std::function<void(const Progress&)>(std::size_t)>& progress);

}  // namespace lra::harness

#pragma once
// A suite: tasks x attentions x seeds, or speed and memory of attentions over sequence lengths, or
// both.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/measure/bench.h"
#include "harness/run/spec.h"
#include "results/record/record.h"

namespace lra::harness {

struct SuiteRun {
  Request request;
  RunSpec spec;
  std::string name;                           // of its folder: TASK-ATTENTION-sSEED-ID
  std::size_t task = 0, attention = 0;        // its entries in the file's lists
  std::optional<results::SearchPart> search;  // that chose its settings
};

struct SuiteBench {
  std::vector<BenchOptions> variants;  // their `mode` and `threads` are left open
  std::vector<results::BenchMode> modes;
  std::vector<std::int64_t> lengths;
};

struct Suite {
  std::string name;
  std::string description;
  std::vector<SuiteRun> runs;
  std::optional<SuiteBench> bench;
};

[[nodiscard]] std::vector<std::string> suite_names();
// A built-in suite or a JSON file that ends in .json. `settings` are added to every run; `data` is
// --data. Paths in the file are relative to its folder. Throws Error(usage) for an unknown name,
// Error(config) that names the path in the file, or both entries that make one and the same run,
// and as resolve().
[[nodiscard]] Suite load_suite(const std::string& name, const std::vector<std::string>& settings,
                               const std::filesystem::path& data = {});
[[nodiscard]] nlohmann::json suite_file(const std::string& name);
// The same from a file's content; `name` is for messages.
[[nodiscard]] Suite make_suite(const nlohmann::json& file, const std::string& name,
                               const std::vector<std::string>& settings,
                               const std::filesystem::path& data = {});
// A setting KEY=VALUE; a relative path (of data.path, init) becomes one below `folder`.
[[nodiscard]] std::string placed_setting(const std::string& setting,
                                         const std::filesystem::path& folder);
// A suite's file with absolute paths in its settings, valid in any folder; `name` as for
// load_suite.
[[nodiscard]] nlohmann::json with_absolute_paths(nlohmann::json file, const std::string& name);
// The suite with some of its runs, in its order, and without its bench. `ids` are names of run
// folders or first digits of run ids (8 or more), separated by commas. Throws Error(usage) for an
// unknown or ambiguous id and for an empty list.
[[nodiscard]] Suite only_runs(const Suite& suite, const std::string& ids);
// Sets the precision of each run with `--precision auto` to that of an earlier call, possibly on
// another machine, that began the run in `out`. Throws as as_begun().
void adopt_begun(Suite& suite, const std::filesystem::path& out);
// Resolves the request of a run and names its folder.
[[nodiscard]] SuiteRun make_run(Request request, std::int64_t seed);
// The JSON Schema of suite files.
[[nodiscard]] std::string_view suite_schema();

}  // namespace lra::harness

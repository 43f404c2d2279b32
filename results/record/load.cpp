#include "results/record/load.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>
#include <tuple>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/fields.h"
#include "engine/base/file.h"
#include "results/record/bench_record.h"

namespace lra::results {

namespace fs = std::filesystem;

std::string LoadedRecords::fault_summary() const {
  if (faults.empty()) return "";
  std::string text = fmt::format("skipped {} of {} result files:\n", faults.size(), files);
  for (const auto& fault : faults) text += "  " + fault.message + "\n";
  return text;
}

std::vector<fs::path> find_files(const std::vector<fs::path>& places,
                                 const std::function<bool(const std::string&)>& accept) {
  std::map<fs::path, fs::path> found;  // canonical path -> path as given
  for (const auto& place : places) {
    std::error_code code;
    const auto status = fs::status(place, code);
    if (!fs::exists(status)) {
      fail(ErrorKind::io, "{}: no such file or folder", place.string());
    }
    if (!fs::is_directory(status)) {
      found.emplace(fs::canonical(place), place);
      continue;
    }
    const auto options = fs::directory_options::skip_permission_denied;
    for (const auto& entry : fs::recursive_directory_iterator(place, options)) {
      if (entry.is_regular_file(code) && accept(entry.path().filename().string())) {
        found.emplace(fs::canonical(entry.path()), entry.path());
      }
    }
  }
  std::vector<fs::path> files;
  files.reserve(found.size());
  for (auto& [canonical, path] : found) files.push_back(std::move(path));
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<fs::path> find_series(const std::vector<fs::path>& places, const std::string& stem) {
  const auto of_series = [&stem](const std::string& name) {
    return name == stem + ".json" || (name.starts_with(stem + "-") && name.ends_with(".json"));
  };
  std::vector<fs::path> files = find_files(places, of_series);
  std::erase_if(files, [&](const fs::path& file) { return !of_series(file.filename().string()); });
  return files;
}

std::vector<FileFault> read_each(const std::vector<fs::path>& files, OnFault on_fault,
                                 const std::function<void(const fs::path&)>& read) {
  std::vector<FileFault> faults;
  for (const auto& file : files) {
    try {
      read(file);
    } catch (const Error& error) {
      if (on_fault == OnFault::refuse) throw;
      faults.push_back({file, error.what()});
    }
  }
  return faults;
}

namespace {

// Whether the suite in whose folder a result file is still names its run.
class Membership {
 public:
  bool holds(const fs::path& file) {
    const fs::path run = fs::absolute(file).lexically_normal().parent_path();
    if (run.parent_path().filename() != "runs") return true;
    const fs::path suite = run.parent_path().parent_path();
    auto known = suites_.find(suite);
    if (known == suites_.end()) known = suites_.emplace(suite, read_suite_runs(suite)).first;
    const auto& runs = known->second;
    return !runs || std::find(runs->runs.begin(), runs->runs.end(), run.filename().string()) !=
                        runs->runs.end();
  }

 private:
  std::map<fs::path, std::optional<SuiteRuns>> suites_;
};

}  // namespace

template <class V>
void describe(V& v, SuiteRuns& suite) {
  v.constant("schema", "lra-suite-runs/1");
  v("name", suite.name);
  v("description", suite.description);
  v("runs", suite.runs);
}

void write_suite_runs(const fs::path& folder, const SuiteRuns& suite) {
  write_json(folder / kSuiteRunsFile, to_fields(suite));
}

std::optional<SuiteRuns> read_suite_runs(const fs::path& folder) {
  const fs::path file = folder / kSuiteRunsFile;
  std::error_code code;
  if (!fs::exists(file, code)) return std::nullopt;
  const nlohmann::json value = read_json(file);
  SuiteRuns suite;
  try {
    from_fields(value, suite);
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::data, "{}: not a list of a suite's runs: {}", file.string(), error.what());
  }
  return suite;
}

LoadedRecords load_records(const std::vector<fs::path>& places, OnFault on_fault, Members members) {
  LoadedRecords loaded;
  auto files = find_files(places, [](const std::string& name) { return name == "result.json"; });
  if (members == Members::current) {
    Membership membership;
    loaded.left_out =
        std::erase_if(files, [&](const fs::path& file) { return !membership.holds(file); });
  }
  loaded.files = files.size();
  if (files.empty()) {
    std::vector<std::string> names;
    names.reserve(places.size());
    for (const auto& place : places) names.push_back(place.string());
    const bool benches = !load_benches(places, OnFault::skip).records.empty();
    fail(ErrorKind::data, "results: no result.json under {}{}", fmt::join(names, ", "),
         benches ? "; there are records of `lra bench`: try lra table --efficiency" : "");
  }
  // Files by run id, machine and data.
  std::map<std::tuple<std::string, std::string, std::string>, fs::path> seen;
  loaded.faults = read_each(files, on_fault, [&](const fs::path& file) {
    Record record = parse_record(read_file(file), file.string());
    record.file = file;
    if (!record.evaluated.empty()) {
      ++loaded.trials;
      return;
    }
    const auto [first, fresh] =
        seen.emplace(std::tuple(record.run_id, machine_of(record.environment),
                                record.task.data_sha256.value_or("")),
                     file);
    if (!fresh) {
      fail(ErrorKind::data, "{}: run {} of the same machine and data is already in {}",
           file.string(), record.run_id, first->second.string());
    }
    loaded.records.push_back(std::move(record));
  });
  if (loaded.trials == files.size()) {
    fail(ErrorKind::data,
         "results: got {} trials of a search under {}, which are not evaluated on test, expected "
         "runs; try lra run on the suite that lra tune wrote",
         loaded.trials, places.front().string());
  }
  return loaded;
}

}  // namespace lra::results

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
  const std::size_t skipped = faults.size() - folders;
  std::string what;
  if (folders > 0) what = fmt::format("{} folder{}", folders, folders == 1 ? "" : "s");
  if (skipped > 0) {
    what += fmt::format("{}{} of {} result files", folders > 0 ? " and " : "", skipped, files);
  }
  std::string text = fmt::format("skipped {}:\n", what);
  for (const auto& fault : faults) text += "  " + fault.message + "\n";
  return text;
}

namespace {

// Searches folders for files, by their names.
class Search {
 public:
  Search(const std::function<bool(const std::string&)>& accept, OnFault on_fault)
      : accept_(accept), on_fault_(on_fault) {}

  void add(const fs::path& file) {
    std::error_code code;
    fs::path canonical = fs::canonical(file, code);
    if (code) return fault(file, code);
    found_.emplace(std::move(canonical), file);
  }

  void walk(const fs::path& folder) {
    std::error_code code;
    fs::directory_iterator at(folder, code);
    for (const fs::directory_iterator end; !code && at != end; at.increment(code)) {
      std::error_code of_entry;
      if (!at->is_symlink(of_entry) && at->is_directory(of_entry)) {
        walk(at->path());
      } else if (accept_(at->path().filename().string())) {
        if (at->is_regular_file(of_entry)) {
          add(at->path());
        } else if (of_entry) {
          fault(at->path(), of_entry);
        }
      }
    }
    if (code) fault(folder, code);
  }

  FoundFiles result() {
    FoundFiles result;
    result.files.reserve(found_.size());
    for (auto& [canonical, path] : found_) result.files.push_back(std::move(path));
    std::sort(result.files.begin(), result.files.end());
    result.faults = std::move(faults_);
    return result;
  }

 private:
  void fault(const fs::path& path, const std::error_code& code) {
    if (code == std::errc::no_such_file_or_directory) return;  // gone since it was listed
    std::string message = fmt::format("{}: cannot read: {}", path.string(), code.message());
    if (on_fault_ == OnFault::refuse) throw Error(ErrorKind::io, message);
    faults_.push_back({path, std::move(message)});
  }

  const std::function<bool(const std::string&)>& accept_;
  OnFault on_fault_;
  std::map<fs::path, fs::path> found_;  // canonical path -> path as given
  std::vector<FileFault> faults_;
};

}  // namespace

FoundFiles find_files(const std::vector<fs::path>& places,
                      const std::function<bool(const std::string&)>& accept, OnFault on_fault) {
  Search search(accept, on_fault);
  for (const auto& place : places) {
    std::error_code code;
    const auto status = fs::status(place, code);
    if (!fs::exists(status)) {
      fail(ErrorKind::io, "{}: no such file or folder", place.string());
    }
    if (fs::is_directory(status)) {
      search.walk(place);
    } else {
      search.add(place);
    }
  }
  return search.result();
}

FoundFiles find_series(const std::vector<fs::path>& places, const std::string& stem,
                       OnFault on_fault) {
  const auto of_series = [&stem](const std::string& name) {
    return name == stem + ".json" || (name.starts_with(stem + "-") && name.ends_with(".json"));
  };
  FoundFiles found = find_files(places, of_series, on_fault);
  std::erase_if(found.files,
                [&](const fs::path& file) { return !of_series(file.filename().string()); });
  return found;
}

std::vector<FileFault> read_each(FoundFiles found, OnFault on_fault,
                                 const std::function<void(const fs::path&)>& read) {
  std::vector<FileFault> faults = std::move(found.faults);
  for (const auto& file : found.files) {
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
  FoundFiles found = find_files(
      places, [](const std::string& name) { return name == "result.json"; }, on_fault);
  auto& files = found.files;
  loaded.folders = found.faults.size();
  if (members == Members::current) {
    Membership membership;
    loaded.left_out =
        std::erase_if(files, [&](const fs::path& file) { return !membership.holds(file); });
  }
  loaded.files = files.size();
  if (files.empty()) {
    if (!found.faults.empty()) throw Error(ErrorKind::io, found.faults.front().message);
    std::vector<std::string> names;
    names.reserve(places.size());
    for (const auto& place : places) names.push_back(place.string());
    const bool benches = !load_benches(places, OnFault::skip).records.empty();
    fail(ErrorKind::data, "results: no result.json under {}{}", fmt::join(names, ", "),
         benches ? "; there are records of `lra bench`: try lra table --efficiency" : "");
  }
  // Files by run id, machine and data.
  std::map<std::tuple<std::string, std::string, std::string>, fs::path> seen;
  loaded.faults = read_each(std::move(found), on_fault, [&](const fs::path& file) {
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
  if (loaded.trials == loaded.files) {
    fail(ErrorKind::data,
         "results: got {} trials of a search under {}, which are not evaluated on test, expected "
         "runs; try lra run on the suite that lra tune wrote",
         loaded.trials, places.front().string());
  }
  return loaded;
}

}  // namespace lra::results

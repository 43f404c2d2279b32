#include "harness/suite.h"

#include <algorithm>

#include "attention/attention.h"
#include "embedded/suite_files.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/record_run.h"
#include "results/record.h"

namespace lra::harness {
namespace {

using nlohmann::json;

constexpr std::string_view kExtension = ".json";

// The member of an entry that may be a plain name or an object with settings.
struct Named {
  std::string name;
  std::vector<std::string> settings;
};

void add_settings(const json& object, const std::string& prefix, const std::string& where,
                  std::vector<std::string>& settings) {
  if (!object.is_object()) fail(ErrorKind::config, "{}: expected an object", where);
  for (const auto& [key, value] : object.items()) {
    settings.push_back(prefix + key + "=" +
                       (value.is_string() ? value.get<std::string>() : value.dump()));
  }
}

Named parse_named(const json& entry, const std::string& option_prefix, const std::string& where) {
  if (entry.is_string()) return {entry.get<std::string>(), {}};
  if (!entry.is_object() || !entry.contains("name") || !entry["name"].is_string()) {
    fail(ErrorKind::config, "{}: expected a name or an object with \"name\"", where);
  }
  Named named{entry["name"].get<std::string>(), {}};
  for (const auto& [key, value] : entry.items()) {
    if (key == "options") {
      add_settings(value, option_prefix, where + "/options", named.settings);
    } else if (key == "settings") {
      add_settings(value, "", where + "/settings", named.settings);
    } else if (key != "name") {
      throw Error(
          ErrorKind::config,
          where + ": " + unknown_name_message("member", key, {"name", "options", "settings"}));
    }
  }
  return named;
}

std::vector<Named> parse_list(const json& file, const char* member, const std::string& prefix,
                              const std::string& where) {
  if (!file.contains(member) || !file[member].is_array() || file[member].empty()) {
    fail(ErrorKind::config, "{}: /{}: expected a list with at least one entry", where, member);
  }
  std::vector<Named> list;
  for (std::size_t i = 0; i < file[member].size(); ++i) {
    list.push_back(
        parse_named(file[member][i], prefix, fmt::format("{}: /{}/{}", where, member, i)));
  }
  return list;
}

void check_members(const json& file, const std::string& where) {
  const std::vector<std::string> known{"schema",     "name",    "description", "tasks",
                                       "attentions", "preset",  "protocol",    "seeds",
                                       "precision",  "settings"};
  if (!file.is_object() || file.value("schema", "") != "lra-suite/1") {
    fail(ErrorKind::config, "{}: /schema: expected \"lra-suite/1\"", where);
  }
  for (const auto& [key, value] : file.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw Error(ErrorKind::config, where + ": /: " + unknown_name_message("member", key, known));
    }
  }
}

// "all" stands for every registered variant.
std::vector<Named> expand(std::vector<Named> attentions) {
  if (attentions.size() != 1 || attentions[0].name != "all") return attentions;
  std::vector<Named> all;
  for (const auto& name : attention::registry().names())
    all.push_back({name, attentions[0].settings});
  return all;
}

SuiteRun make_run(const json& file, const Named& task, const Named& attention, std::int64_t seed,
                  const std::vector<std::string>& settings) {
  SuiteRun run;
  run.request.task = task.name;
  run.request.attention = attention.name;
  run.request.preset = file.value("preset", "nystromformer");
  run.request.protocol = file.value("protocol", "exact");
  run.request.precision = file.value("precision", "auto");
  run.request.seed = seed;
  if (file.contains("settings"))
    add_settings(file["settings"], "", "/settings", run.request.settings);
  for (const auto* more : {&task.settings, &attention.settings, &settings}) {
    run.request.settings.insert(run.request.settings.end(), more->begin(), more->end());
  }
  run.spec = resolve(run.request);
  run.name = fmt::format("{}-{}-s{}-{}", run.spec.task, run.spec.attention, seed,
                         spec_digest(run.spec).substr(0, 8));
  return run;
}

}  // namespace

std::vector<std::string> suite_names() {
  std::vector<std::string> names;
  for (const auto& file : embedded::suite_files()) {
    names.emplace_back(file.name.substr(0, file.name.size() - kExtension.size()));
  }
  return names;
}

json suite_file(const std::string& name) {
  if (name.ends_with(kExtension)) return read_json(name);
  const auto* file = find_embedded(embedded::suite_files(), name + std::string(kExtension));
  if (file == nullptr) {
    throw Error(ErrorKind::usage, unknown_name_message("suite", name, suite_names()));
  }
  return parse_json(file->content, name);
}

Suite load_suite(const std::string& name, const std::vector<std::string>& settings) {
  const json file = suite_file(name);
  const std::string where = "suite " + name;
  check_members(file, where);
  Suite suite{file.value("name", name), file.value("description", ""), {}};
  const auto tasks = parse_list(file, "tasks", "task.", where);
  const auto attentions = expand(parse_list(file, "attentions", "attention.", where));
  const json seeds = file.value("seeds", json::array({0}));
  for (const auto& seed : seeds) {
    if (!seed.is_number_integer() || seed.get<std::int64_t>() < 0) {
      fail(ErrorKind::config, "{}: /seeds: got {}, expected whole numbers", where, seed.dump());
    }
    for (const Named& task : tasks) {
      for (const Named& attention : attentions) {
        suite.runs.push_back(make_run(file, task, attention, seed.get<std::int64_t>(), settings));
      }
    }
  }
  return suite;
}

std::vector<results::Record> run_suite(
    const Suite& suite, const std::filesystem::path& out, const RunOptions& options,
    Workers& workers,
    const std::function<std::function<void(const Progress&)>(std::size_t)>& progress) {
  std::vector<results::Record> records;
  for (std::size_t i = 0; i < suite.runs.size(); ++i) {
    if (options.stop != nullptr && options.stop->load()) break;
    const SuiteRun& run = suite.runs[i];
    RunOptions own = options;
    own.folder = out / "runs" / run.name;
    own.progress = progress(i);
    try {
      records.push_back(run_training(run.spec, own, workers));
    } catch (const Error& error) {
      records.push_back(make_failed_record(run.spec, workers, error.what()));
      write_json(own.folder / "result.json", results::to_json(records.back()));
    }
  }
  return records;
}

}  // namespace lra::harness

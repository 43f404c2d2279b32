#include "harness/suite/suite.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "attention/attention.h"
#include "embedded/suite_files.h"
#include "embedded/suite_schema_files.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/json_schema.h"
#include "harness/run/ended.h"

namespace lra::harness {
namespace {

using nlohmann::json;

constexpr std::string_view kExtension = ".json";

// The member of an entry that may be a plain name or an object with settings.
struct Named {
  std::string name;
  std::vector<std::string> settings;
};

void add_settings(const json& entry, const char* member, const std::string& prefix,
                  std::vector<std::string>& settings) {
  if (!entry.contains(member)) return;
  for (const auto& [key, value] : entry[member].items()) {
    settings.push_back(prefix + key + "=" +
                       (value.is_string() ? value.get<std::string>() : value.dump()));
  }
}

std::vector<Named> parse_list(const json& file, const char* member, const std::string& prefix) {
  std::vector<Named> list;
  for (const json& entry : file.value(member, json::array())) {
    if (entry.is_string()) {
      list.push_back({entry.get<std::string>(), {}});
      continue;
    }
    Named& named = list.emplace_back(Named{entry.at("name").get<std::string>(), {}});
    add_settings(entry, "options", prefix, named.settings);
    add_settings(entry, "settings", "", named.settings);
  }
  return list;
}

// Settings whose value is a path.
constexpr std::array<std::string_view, 2> kPathSettings{"data.path", "init"};

// Paths in a suite's file are relative to this folder.
std::filesystem::path folder_of(const std::string& name) {
  return name.ends_with(kExtension) ? std::filesystem::path(name).parent_path()
                                    : std::filesystem::path();
}

void check_schema(const json& file, const std::string& where) {
  static const JsonSchema schema(suite_schema(), "suite.schema.json");
  const auto faults = schema.check(file);
  if (faults.empty()) return;
  constexpr std::size_t kShown = 3;
  std::vector<std::string> texts;
  for (const auto& fault : faults) {
    if (texts.size() == kShown) break;
    texts.push_back(fmt::format("{}: {}", fault.path.empty() ? "/" : fault.path, fault.message));
  }
  fail(ErrorKind::config, "{}: {}{}", where, fmt::join(texts, "; "),
       faults.size() > kShown ? "; ..." : "");
}

// "all" means every registered variant.
std::vector<Named> expand(std::vector<Named> attentions) {
  if (attentions.size() != 1 || attentions[0].name != "all") return attentions;
  std::vector<Named> all;
  for (const auto& name : attention::registry().names())
    all.push_back({name, attentions[0].settings});
  return all;
}

// A preset or protocol given as a file (.json) is relative to the suite's folder.
std::string placed_file(const std::string& name, const std::filesystem::path& folder) {
  return name.ends_with(kExtension) ? (folder / name).lexically_normal().string() : name;
}

Request make_request(const json& file, const std::string& task, const Named& attention,
                     const std::vector<std::string>& task_settings,
                     const std::vector<std::string>& settings,
                     const std::filesystem::path& folder) {
  Request request;
  request.task = task;
  request.attention = attention.name;
  request.preset = placed_file(file.value("preset", request.preset), folder);
  request.protocol = placed_file(file.value("protocol", request.protocol), folder);
  request.precision = file.value("precision", request.precision);
  add_settings(file, "settings", "", request.settings);
  for (const auto* more : {&task_settings, &attention.settings, &settings}) {
    request.settings.insert(request.settings.end(), more->begin(), more->end());
  }
  return request;
}

std::string name_of_run(const RunSpec& spec) {
  return fmt::format("{}-{}-s{}-{}", task_name(spec), spec.attention, spec.seed,
                     spec_digest(spec).substr(0, 8));
}

// Settings chosen by `lra tune` for one task and attention of a file.
struct Chosen {
  std::vector<std::string> settings;
  results::SearchPart search;
};

// Indexed by the entries' positions in the file's lists. An entry of `tuned` repeats the entries of
// its task and attention, so that a change in these is noticed.
std::map<std::pair<std::size_t, std::size_t>, Chosen> parse_tuned(const json& file,
                                                                  const std::string& where) {
  std::map<std::pair<std::size_t, std::size_t>, Chosen> all;
  const json tuned = file.value("tuned", json::array());
  for (std::size_t i = 0; i < tuned.size(); ++i) {
    const auto place = [&](const char* member, const char* list) {
      const json& entries = file.value(list, json::array());
      const auto found = std::find(entries.begin(), entries.end(), tuned[i].at(member));
      if (found == entries.end()) {
        fail(ErrorKind::config, "{}: /tuned/{}/{}: got {}, expected an unchanged entry of /{}",
             where, i, member, tuned[i].at(member).dump(), list);
      }
      return static_cast<std::size_t>(found - entries.begin());
    };
    Chosen chosen;
    add_settings(tuned[i], "settings", "", chosen.settings);
    chosen.search = results::search_from_json(tuned[i].at("search"),
                                              fmt::format("{}: /tuned/{}/search", where, i));
    const auto key = std::pair(place("task", "tasks"), place("attention", "attentions"));
    if (!all.emplace(key, std::move(chosen)).second) {
      fail(ErrorKind::config, "{}: /tuned/{}: got a second entry of one task and attention", where,
           i);
    }
  }
  return all;
}

// Whether settings given later (KEY=VALUE) leave the chosen ones as they are.
bool keeps(const std::vector<std::string>& later, const std::vector<std::string>& chosen) {
  const auto key = [](const std::string& setting) { return setting.substr(0, setting.find('=')); };
  return std::all_of(later.begin(), later.end(), [&](const std::string& setting) {
    return std::none_of(chosen.begin(), chosen.end(), [&](const std::string& before) {
      return key(before) == key(setting) && before != setting;
    });
  });
}

// Refuses a second entry that makes the same run, for example one with a default spelled out.
class Duplicates {
 public:
  explicit Duplicates(std::string suite) : suite_(std::move(suite)) {}
  void add(const std::string& identity, const std::string& what, const std::string& entry) {
    const auto [first, fresh] = entries_.emplace(identity, entry);
    if (fresh) return;
    fail(ErrorKind::config, "suite {}: two entries make the same {}; got {} and {}; leave one out",
         suite_, what, first->second, entry);
  }

 private:
  std::string suite_;
  std::map<std::string, std::string> entries_;
};

SuiteBench make_bench(const json& file, const std::vector<Named>& attentions,
                      const std::vector<std::string>& settings, const std::string& where) {
  const json& wanted = file.at("bench");
  SuiteBench bench;
  bench.lengths = wanted.at("n").get<std::vector<std::int64_t>>();
  for (const auto& mode : wanted.value("modes", words_of<results::BenchMode>())) {
    bench.modes.push_back(enum_of<results::BenchMode>(mode).value());  // one that the schema knows
  }
  Duplicates duplicates(where);
  for (std::size_t i = 0; i < attentions.size(); ++i) {
    const Named& attention = attentions[i];
    const RunSpec spec = resolve(make_request(file, wanted.value("task", "text"), attention, {},
                                              settings, folder_of(where)));
    duplicates.add(spec.attention + spec.attention_options.dump(), "variant",
                   fmt::format("/attentions/{} ({})", i, attention.name));
    BenchOptions& o = bench.variants.emplace_back(bench_options(spec));
    o.batch = wanted.value("batch", std::int64_t{32});
    o.seconds = wanted.value("seconds", 3.0);
  }
  return bench;
}

}  // namespace

SuiteRun make_run(Request request, std::int64_t seed) {
  request.seed = seed;
  SuiteRun run;
  run.spec = resolve(request);
  run.name = name_of_run(run.spec);
  run.request = std::move(request);
  return run;
}

namespace {

// Adds an entry's position to its errors.
SuiteRun run_of_entry(Request request, std::int64_t seed, const std::string& where) {
  try {
    return make_run(std::move(request), seed);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}: {}", where, error.what()));
  }
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
  if (name.ends_with(kExtension)) return read_json(name, ErrorKind::config);
  const auto* file = find_embedded(embedded::suite_files(), name + std::string(kExtension));
  if (file == nullptr) {
    throw Error(ErrorKind::usage, unknown_name_message("suite", name, suite_names()));
  }
  return parse_json(file->content, name);
}

std::string placed_setting(const std::string& setting, const std::filesystem::path& folder) {
  const std::size_t equals = setting.find('=');
  const std::string_view key = std::string_view(setting).substr(0, equals);
  if (std::find(kPathSettings.begin(), kPathSettings.end(), key) == kPathSettings.end() ||
      equals >= setting.size() - 1) {
    return setting;
  }
  return fmt::format("{}={}", key, (folder / setting.substr(equals + 1)).string());
}

json with_absolute_paths(json file, const std::string& name) {
  const std::filesystem::path folder = std::filesystem::current_path() / folder_of(name);
  const auto place = [&folder](json& entry) {
    if (!entry.is_object() || !entry.contains("settings")) return;
    json& settings = entry["settings"];
    for (const std::string_view key : kPathSettings) {
      const auto found = settings.find(key);
      if (found == settings.end() || !found->is_string()) continue;
      const std::string path = found->get<std::string>();
      if (!path.empty()) *found = (folder / path).lexically_normal().string();
    }
  };
  place(file);
  for (const char* member : {"preset", "protocol"}) {
    if (file.contains(member) && file[member].is_string()) {
      file[member] = placed_file(file[member], folder);
    }
  }
  for (const char* list : {"tasks", "attentions"}) {
    if (!file.contains(list)) continue;
    for (json& entry : file[list]) place(entry);
  }
  return file;
}

Suite load_suite(const std::string& name, const std::vector<std::string>& settings,
                 const std::filesystem::path& data) {
  return make_suite(suite_file(name), name, settings, data);
}

Suite make_suite(const json& file, const std::string& name,
                 const std::vector<std::string>& settings, const std::filesystem::path& data) {
  check_schema(file, "suite " + name);
  const std::string own_name =
      name.ends_with(kExtension) ? std::filesystem::path(name).stem().string() : name;
  Suite suite{file.value("name", own_name), file.value("description", ""), {}, {}};
  const std::filesystem::path folder = folder_of(name);
  const auto tasks = parse_list(file, "tasks", "task.");
  const auto attentions = expand(parse_list(file, "attentions", "attention."));
  const auto seeds = file.value("seeds", std::vector<std::int64_t>{0});
  const auto tuned = parse_tuned(file, "suite " + name);
  Duplicates duplicates(name);
  for (std::size_t s = 0; s < seeds.size(); ++s) {
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      for (std::size_t a = 0; a < attentions.size(); ++a) {
        Request request =
            make_request(file, tasks[t].name, attentions[a], tasks[t].settings, {}, folder);
        for (std::string& setting : request.settings) setting = placed_setting(setting, folder);
        const auto chosen = tuned.find({t, a});
        if (chosen != tuned.end()) {
          const auto& more = chosen->second.settings;
          request.settings.insert(request.settings.end(), more.begin(), more.end());
        }
        request.settings.insert(request.settings.end(), settings.begin(), settings.end());
        request.data = data;
        SuiteRun& run = suite.runs.emplace_back(
            run_of_entry(std::move(request), seeds[s],
                         fmt::format("suite {}: /tasks/{} ({}) /attentions/{} ({})", name, t,
                                     tasks[t].name, a, attentions[a].name)));
        run.task = t;
        run.attention = a;
        if (chosen != tuned.end() && keeps(settings, chosen->second.settings)) {
          run.search = chosen->second.search;
        }
        duplicates.add(suite.runs.back().name + spec_digest(suite.runs.back().spec), "run",
                       fmt::format("/seeds/{} ({}) /tasks/{} ({}) /attentions/{} ({})", s, seeds[s],
                                   t, tasks[t].name, a, attentions[a].name));
      }
    }
  }
  if (file.contains("bench")) suite.bench = make_bench(file, attentions, settings, name);
  return suite;
}

void adopt_begun(Suite& suite, const std::filesystem::path& out) {
  for (SuiteRun& run : suite.runs) {
    static_cast<void>(begun_folder(run.spec, out / "runs", name_of_run));
    run.name = name_of_run(run.spec);
  }
}

Suite only_runs(const Suite& suite, const std::string& ids) {
  constexpr std::size_t kLeastDigits = 8;
  std::vector<bool> chosen(suite.runs.size(), false);
  std::vector<std::string> digests;
  for (const SuiteRun& run : suite.runs) digests.push_back(spec_digest(run.spec));
  std::istringstream stream(ids);
  bool any = false;
  for (std::string id; std::getline(stream, id, ',');) {
    any = true;
    std::size_t found = 0;
    for (std::size_t i = 0; i < suite.runs.size(); ++i) {
      if (suite.runs[i].name != id && (id.size() < kLeastDigits || !digests[i].starts_with(id)))
        continue;
      chosen[i] = true;
      ++found;
    }
    if (found == 1) continue;
    fail(ErrorKind::usage,
         "--only: {} runs of the suite {} have the id '{}'; expected one; ids are the last {} "
         "digits "
         "in the names of the run folders",
         found == 0 ? "no" : "several", suite.name, id, kLeastDigits);
  }
  if (!any) fail(ErrorKind::usage, "--only: no ids; expected ID,ID,...");
  Suite part{suite.name, suite.description, {}, {}};
  for (std::size_t i = 0; i < suite.runs.size(); ++i) {
    if (chosen[i]) part.runs.push_back(suite.runs[i]);
  }
  return part;
}

std::string_view suite_schema() {
  return find_embedded(embedded::suite_schema_files(), "suite.schema.json")->content;
}

}  // namespace lra::harness

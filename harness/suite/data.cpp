#include "harness/suite/data.h"

#include <cstdlib>
#include <exception>
#include <map>
#include <new>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "harness/measure/child.h"
#include "harness/run/ended.h"

namespace lra::harness {
namespace {

using nlohmann::json;

// Key of the settings that determine a run's data.
std::string data_key(const RunSpec& spec) {
  return json_text(json{spec.task, spec.task_options, spec.data_seed, spec.counts,
                        spec.counts_wished, spec.data.string()});
}

json answer(const RunData& opened) {
  return {{"used", to_json(opened.used)}, {"notes", opened.notes}, {"to_make", false}};
}

// Description of data that are neither in files nor in the cache, before they are generated.
json answer_of_unmade(const RunSpec& spec, const tasks::TaskInfo& info) {
  DataUsed used;
  used.origin = name_of(info.without_files);
  used.description = info.title + ": to be made";
  used.counts = spec.counts;
  return {{"used", to_json(used)}, {"notes", json::array()}, {"to_make", true}};
}

json find_one(const RunSpec& spec, const DataOptions& where, bool make) {
  if (make) return answer(open_data(spec, where));
  if (const auto cached = cached_data(spec, where)) return answer(*cached);
  const auto task = tasks::create_task(spec.task, spec.task_options);
  const bool files = !task->find(open_options(spec, where)).path.empty();
  return files ? answer(open_data(spec, where)) : answer_of_unmade(spec, task->info());
}

void serve(Channel& channel, const RunSpec& spec, const FindDataOptions& options) {
  try {
    DataOptions where;
    where.data = options.data;
    where.progress = [&channel](const std::string& text) { channel.send({{"progress", text}}); };
    channel.send(find_one(spec, where, options.make));
  } catch (const std::bad_alloc&) {
    channel.send({{"failure", "data: out of memory"}});
  } catch (const std::exception& error) {
    channel.send({{"failure", error.what()}});
  }
}

FoundData find_in_child(const RunSpec& spec, const FindDataOptions& options,
                        const std::function<void(const std::string&)>& progress) {
  Child child([&](Channel& channel) { serve(channel, spec, options); });
  FoundData found;
  while (const auto line = child.channel().receive(options.stop)) {
    if (line->contains("progress")) {
      if (progress) progress(line->at("progress"));
    } else if (line->contains("failure")) {
      found.failure = line->at("failure");
      return found;
    } else {
      found.used = data_used_from_json(line->at("used"), "data");
      found.notes = line->at("notes").get<std::vector<std::string>>();
      found.to_make = line->at("to_make");
      return found;
    }
  }
  if (options.stop == nullptr || !options.stop->load()) {
    found.failure = child.ran_out_of_memory() ? "data: out of memory while opening them"
                                              : "data: the process that opens them ended early";
  }
  return found;
}

void require_place(const std::filesystem::path& place, const char* via) {
  if (!place.empty() && !is_there(place)) {
    fail(ErrorKind::data, "{}: {}: does not exist", via, place.string());
  }
}

}  // namespace

std::vector<FoundData> find_data(const Suite& suite, const FindDataOptions& options) {
  const char* environment = std::getenv("LRA_DATA");
  if (!options.data.empty()) {
    require_place(options.data, "--data");
  } else if (environment != nullptr) {
    require_place(environment, "$LRA_DATA");
  }
  std::map<std::string, FoundData> known;
  std::vector<FoundData> found;
  for (std::size_t i = 0; i < suite.runs.size(); ++i) {
    const RunSpec& spec = suite.runs[i].spec;
    const std::string key = data_key(spec);
    if (known.count(key) == 0) {
      const bool stopped = options.stop != nullptr && options.stop->load();
      const auto progress = [&](const std::string& text) {
        if (options.progress) options.progress(i, text);
      };
      known[key] = stopped ? FoundData() : find_in_child(spec, options, progress);
    }
    found.push_back(known[key]);
  }
  return found;
}

void require_begun_data(const Suite& suite, const std::vector<FoundData>& found,
                        const std::filesystem::path& out) {
  for (std::size_t i = 0; i < suite.runs.size(); ++i) {
    if (!found[i].used || found[i].to_make) continue;
    const std::filesystem::path folder = out / "runs" / suite.runs[i].name;
    std::optional<DataUsed> expected;
    try {
      expected = data_of_folder(folder);
    } catch (const Error&) {
      continue;
    }
    if (expected) require_same_data(*found[i].used, *expected, folder);
  }
}

}  // namespace lra::harness

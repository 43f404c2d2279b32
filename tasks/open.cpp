// Task::open: the cache of a task's data, built under a lock and mapped.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "tasks/cache.h"
#include "tasks/task.h"

namespace lra::tasks {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Paths of one task's cache: <folder>/<task>-<16 digits of the key>.{train,val,test}.lra and .json,
// which is written last and marks the cache as complete.
struct CachePlace {
  fs::path folder;
  std::string stem, key;

  [[nodiscard]] fs::path card() const { return folder / (stem + ".json"); }
  [[nodiscard]] fs::path lock() const { return folder / (stem + ".lock"); }
  [[nodiscard]] fs::path split(Split which) const {
    return folder / fmt::format("{}.{}.lra", stem, split_name(which));
  }
};

CachePlace place_of(const TaskInfo& info, const Source& source, const OpenOptions& options) {
  CachePlace place;
  place.folder = options.cache.empty() ? user_cache_dir() / "cache" : options.cache;
  place.key = sha256_hex(json_text({{"cache", kCacheVersion},
                                    {"task", info.name},
                                    {"version", info.version},
                                    {"identity", source.identity}}))
                  .substr(0, 32);
  place.stem = fmt::format("{}-{}", info.name, place.key.substr(0, 16));
  return place;
}

std::string digest_of_digests(const json& digests) {
  std::string text;
  for (const Split split : kSplits) text += digests.at(split_name(split)).get<std::string>() + "\n";
  return sha256_hex(text);
}

// The complete cache, or empty if any part is missing, stale or damaged.
std::optional<TaskData> load(const CachePlace& place) {
  std::error_code code;
  if (!fs::is_regular_file(place.card(), code)) return std::nullopt;
  TaskData data;
  try {
    auto card = std::make_shared<const json>(read_json(place.card()));
    for (const Split split : kSplits) {
      auto& dataset = data.splits[split_index(split)];
      dataset = map_cache(place.split(split), place.key);
      if (!dataset || card->at("counts").at(split_name(split)) != dataset->size() ||
          card->at("digests").at(split_name(split)) != cache_digest(place.split(split))) {
        return std::nullopt;
      }
    }
    const auto origin = enum_of<Origin>(card->at("origin").get<std::string>());
    if (!origin) return std::nullopt;
    data.origin = *origin;
    data.sha256 = card->at("sha256").get<std::string>();
    data.description = card->at("description").get<std::string>();
    data.extra = std::move(card);
    data.cache = place.folder;
  } catch (const json::exception&) {
    return std::nullopt;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::data) throw;  // malformed JSON is a damaged cache
    return std::nullopt;
  }
  return data;
}

[[noreturn]] void fail_empty(const std::string& what, Split split) {
  fail(ErrorKind::data, "{}: no examples for {}; expected at least one", what, split_name(split));
}

// Writes the three splits in the order of arrival.
class CacheSink final : public ExampleSink {
 public:
  CacheSink(ExampleForm form, const CachePlace& place) {
    for (const Split split : kSplits) {
      auto& part = parts_[split_index(split)];
      part.file = std::make_unique<AtomicFile>(place.split(split));
      part.encoder = std::make_unique<CacheEncoder>(
          form, place.key,
          [file = part.file.get()](std::span<const std::byte> bytes) { file->write(bytes); });
    }
  }
  void add(Split split, const Example& example) override {
    parts_[split_index(split)].encoder->add(example);
  }
  // Returns {counts, digests, sha256}; the files then have their final names. Throws Error(data),
  // naming `what` was read, if a split with `wanted` examples is empty.
  json finish(const std::string& what, const std::array<std::int64_t, 3>& wanted) {
    json result;
    for (const Split split : kSplits) {
      auto& part = parts_[split_index(split)];
      if (part.encoder->size() == 0 && wanted[split_index(split)] != 0) {
        fail_empty(what, split);
      }
      result["counts"][split_name(split)] = part.encoder->size();
      result["digests"][split_name(split)] = part.encoder->finish();
      part.file->commit();
    }
    result["sha256"] = digest_of_digests(result["digests"]);
    return result;
  }

 private:
  struct Part {
    std::unique_ptr<AtomicFile> file;
    std::unique_ptr<CacheEncoder> encoder;
  };
  std::array<Part, 3> parts_;
};

// Removes partial files of this cache from a killed process; the caller holds its lock.
void remove_stale(const CachePlace& place) {
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(place.folder, code)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(place.stem + ".") && name.ends_with(".tmp")) fs::remove(entry, code);
  }
}

void build(const Task& task, const Source& source, const OpenOptions& options,
           const CachePlace& place) {
  const TaskInfo info = task.info();
  CacheSink sink(example_form(info.head), place);
  const Reading reading = task.read(source, options, sink);
  json card = reading.extra ? *reading.extra : json::object();
  card.update(sink.finish(reading.description, options.counts));
  card["task"] = info.name;
  card["version"] = info.version;
  card["origin"] = name_of(reading.origin);
  card["description"] = reading.description;
  card["via"] = source.via;
  write_json(place.card(), card);
}

// Names the way by which this call found the files; the cache may stem from another one.
void tell_how_found(const Source& source, TaskData& data) {
  const auto text = [](const std::string& via) { return fmt::format(" ({})", via); };
  const std::string before = text(data.extra->value("via", std::string()));
  const std::size_t at = data.description.rfind(before);
  if (source.path.empty() || before == text(source.via) || at == std::string::npos) return;
  data.description.replace(at, before.size(), text(source.via));
  json card = *data.extra;
  card["description"] = data.description;
  data.extra = std::make_shared<const json>(std::move(card));
}

// Cuts the splits to the requested sizes: to their first examples or, for the user's own data,
// which are often sorted by class, to a sample.
void limit(const Task& task, const OpenOptions& options, TaskData& data) {
  json card = *data.extra;
  const bool own = data.origin == Origin::own;
  bool limited = false;
  std::string cut;  // "200 of 25000 train, ...", of splits that are wanted at all
  for (const Split split : kSplits) {
    auto& dataset = data.splits[split_index(split)];
    const std::int64_t wanted = options.counts[split_index(split)];
    if (dataset->size() == 0 && wanted != 0) fail_empty(data.description, split);
    if (wanted < 0 || static_cast<std::size_t>(wanted) == dataset->size()) continue;
    if (static_cast<std::size_t>(wanted) > dataset->size()) {
      if (options.at_most[split_index(split)]) continue;
      fail(ErrorKind::data, "tasks/{}: {} split; got {} examples, expected {}", task.info().name,
           split_name(split), dataset->size(), wanted);
    }
    limited = true;
    if (wanted > 0) {
      cut += fmt::format("{}{} of {} {}", cut.empty() ? "" : ", ", wanted, dataset->size(),
                         split_name(split));
    }
    const auto count = static_cast<std::size_t>(wanted);
    dataset = own ? sample(dataset, count) : prefix(dataset, count);
    card["counts"][split_name(split)] = wanted;
    card["digests"][split_name(split)] =
        sha256_hex(fmt::format("{} {} of {}", own ? "sample of" : "first", wanted,
                               card["digests"][split_name(split)].get<std::string>()));
  }
  if (!limited) return;
  if (data.origin == Origin::official) data.origin = Origin::official_cut;
  if (!cut.empty())
    data.description +=
        fmt::format(", cut to {} {} examples", own ? "a sample of" : "the first", cut);
  data.sha256 = digest_of_digests(card["digests"]);
  card["origin"] = name_of(data.origin);
  card["description"] = data.description;
  card["sha256"] = data.sha256;
  data.extra = std::make_shared<const json>(std::move(card));
}

}  // namespace

std::optional<TaskData> Task::open_cached(const OpenOptions& options) const {
  const Source source = find(options);
  std::optional<TaskData> data = load(place_of(info(), source, options));
  if (!data) return data;
  tell_how_found(source, *data);
  limit(*this, options, *data);
  return data;
}

TaskData Task::open(const OpenOptions& options) const {
  const Source source = find(options);
  const CachePlace place = place_of(info(), source, options);
  std::optional<TaskData> data = load(place);
  if (!data) {
    const FileLock lock(place.lock());
    data = load(place);  // another process may have built it meanwhile
    if (!data) {
      remove_stale(place);
      build(*this, source, options, place);
      data = load(place);
    }
  }
  if (!data) {
    fail(ErrorKind::io, "{}: the cache just written cannot be read back", place.card().string());
  }
  tell_how_found(source, *data);
  limit(*this, options, *data);
  return *std::move(data);
}

}  // namespace lra::tasks

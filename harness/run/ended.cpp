#include "harness/run/ended.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/runtime.h"

namespace lra::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kDataUsed = "data_used";

RunSpec read_spec(const fs::path& file) { return spec_from_json(read_json(file), file.string()); }

std::string dotted(const std::string& pointer) {
  std::string text = pointer.substr(1);
  std::replace(text.begin(), text.end(), '/', '.');
  return text;
}

std::optional<DataUsed> data_of_record(const fs::path& file) {
  if (!is_there(file)) return std::nullopt;
  const results::Record record = results::parse_record(read_file(file), file.string());
  if (!record.task.data_sha256) return std::nullopt;
  DataUsed used;
  used.sha256 = *record.task.data_sha256;
  used.origin = record.task.origin ? name_of(*record.task.origin) : "unknown";
  used.description = record.task.data_description;
  const auto& counts = record.task.counts;
  used.counts = {counts.train.value_or(0), counts.val.value_or(0), counts.test.value_or(0)};
  return used;
}

}  // namespace

bool is_there(const fs::path& file) {
  std::error_code code;
  const auto status = fs::status(file, code);
  if (status.type() == fs::file_type::not_found) return false;
  if (code) fail(ErrorKind::io, "{}: cannot read: {}", file.string(), code.message());
  return true;
}

std::string differences(const RunSpec& got, const RunSpec& expected) {
  constexpr std::size_t kMost = 6;
  const json mine = identity_of(got).flatten();
  const json theirs = identity_of(expected).flatten();
  std::vector<std::string> found;
  const auto value_of = [](const json& from, const std::string& key) {
    return from.contains(key) ? from[key].dump() : std::string("none");
  };
  for (const auto& [key, value] : mine.items()) {
    if (value_of(theirs, key) == value.dump()) continue;
    found.push_back(
        fmt::format("{}: {} instead of {}", dotted(key), value.dump(), value_of(theirs, key)));
  }
  for (const auto& [key, value] : theirs.items()) {
    if (!mine.contains(key)) {
      found.push_back(fmt::format("{}: none instead of {}", dotted(key), value.dump()));
    }
  }
  const std::size_t more = found.size() > kMost ? found.size() - kMost : 0;
  found.resize(found.size() - more);
  std::string text = fmt::format("{}", fmt::join(found, "; "));
  if (more > 0) text += fmt::format("; and {} more", more);
  return text;
}

RunSpec as_begun(RunSpec spec, const fs::path& folder) {
  const fs::path file = folder / "spec.json";
  if (!spec.precision_auto || !is_there(file)) return spec;
  RunSpec begun = spec;
  begun.precision = read_spec(file).precision;
  if (begun.precision == spec.precision || spec_digest(begun) != spec_digest(read_spec(file))) {
    return spec;  // nothing to adopt, or another run
  }
  try {
    static_cast<void>(engine::resolve_precision(name_of(begun.precision)));
  } catch (const Error& error) {
    fail(ErrorKind::config, "{}: begun with precision {}; {}", folder.string(),
         name_of(begun.precision), error.what());
  }
  return begun;
}

fs::path begun_folder(RunSpec& spec, const fs::path& base,
                      const std::function<std::string(const RunSpec&)>& name) {
  fs::path own = base / name(spec);
  if (!spec.precision_auto || is_there(own / "spec.json")) return own;
  RunSpec other = spec;
  other.precision = spec.precision == Precision::f32 ? Precision::bf16 : Precision::f32;
  fs::path begun = base / name(other);
  if (!is_there(begun / "spec.json")) return own;
  spec = as_begun(std::move(spec), begun);
  return begun;
}

void require_same_run(const RunSpec& spec, const fs::path& folder) {
  const fs::path file = folder / "spec.json";
  if (!is_there(file)) return;
  const RunSpec found = read_spec(file);
  if (spec_digest(found) == spec_digest(spec)) return;
  fail(ErrorKind::config, "{}: contains another run ({} on {}); got {}; choose another --out",
       folder.string(), found.attention, found.task, differences(spec, found));
}

std::optional<DataUsed> data_of_folder(const fs::path& folder) {
  const fs::path file = folder / "spec.json";
  if (!is_there(file)) return std::nullopt;
  const json spec = read_json(file);
  if (spec.is_object() && spec.contains(kDataUsed)) {
    return data_used_from_json(spec[kDataUsed], file.string());
  }
  return data_of_record(folder / "result.json");
}

void require_same_data(const DataUsed& used, const DataUsed& expected, const fs::path& folder) {
  if (used.sha256 == expected.sha256) return;
  fail(ErrorKind::data,
       "{}: contains a run on other data; got {}; expected {}; pass the expected data with --data",
       folder.string(), describe(used), describe(expected));
}

void write_spec(const RunSpec& spec, const DataUsed& used, const fs::path& folder) {
  const fs::path file = folder / "spec.json";
  json j = is_there(file) ? read_json(file) : to_json(spec);
  json now = to_json(used);
  if (j.contains(kDataUsed)) {
    const DataUsed before = data_used_from_json(j[kDataUsed], file.string());
    if (used.place.empty() || used.place == before.place) return;
  }
  j[kDataUsed] = std::move(now);
  j["counts_wished"] = spec.counts_wished;
  write_json(file, j);
}

namespace {

// The folder's result, which must belong to the run in its spec.json.
results::Record record_of(const RunSpec& spec, const fs::path& file) {
  results::Record record = results::parse_record(read_file(file), file.string());
  if (record.spec_sha256 != spec_digest(spec)) {
    fail(ErrorKind::data,
         "{}: result of another run than spec.json; got spec_sha256 {}, expected {}", file.string(),
         record.spec_sha256.substr(0, 12), spec_digest(spec).substr(0, 12));
  }
  return record;
}

}  // namespace

bool has_ended(const results::Record& record) {
  return record.status == results::Status::completed || record.status == results::Status::diverged;
}

std::optional<results::Record> completed_record(const fs::path& folder) {
  const fs::path file = folder / "result.json";
  if (!is_there(folder / "spec.json") || !is_there(file)) return std::nullopt;
  results::Record record = results::parse_record(read_file(file), file.string());
  if (record.status != results::Status::completed) return std::nullopt;
  return record;
}

std::optional<results::Record> ended_record(const RunSpec& spec, const DataUsed& used,
                                            const fs::path& folder) {
  require_same_run(spec, folder);
  if (const auto expected = data_of_folder(folder)) require_same_data(used, *expected, folder);
  const fs::path file = folder / "result.json";
  if (!is_there(folder / "spec.json") || !is_there(file)) return std::nullopt;
  results::Record record = record_of(spec, file);
  if (!has_ended(record)) return std::nullopt;
  if (record.task.data_sha256 && *record.task.data_sha256 != used.sha256) {
    require_same_data(used, *data_of_record(file), folder);
  }
  if (const fs::path checkpoint = folder / kCheckpointFile; is_there(checkpoint)) {
    const bool completed = record.status == results::Status::completed;
    if (completed && record.baselines.empty()) return std::nullopt;
    std::error_code code;  // a remaining one is ignored
    fs::remove(checkpoint, code);
  }
  return record;
}

std::optional<results::Record> saved_record(const RunSpec& spec, const fs::path& folder) {
  require_same_run(spec, folder);
  const fs::path file = folder / "result.json";
  if (!is_there(file)) return std::nullopt;
  return record_of(spec, file);
}

void write_failure(const results::Record& record, const fs::path& folder) {
  const fs::path file = folder / "result.json";
  if (is_there(file)) {
    try {
      if (has_ended(results::parse_record(read_file(file), file.string()))) return;
    } catch (const Error&) {
      return;  // it may be the result of days
    }
  }
  write_json(file, results::to_json(record));
}

}  // namespace lra::harness

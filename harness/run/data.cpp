#include "harness/run/data.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/fields.h"
#include "engine/base/text.h"

namespace lra::harness {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string absolute_text(const fs::path& path) {
  std::error_code code;
  const fs::path whole = fs::absolute(path, code);
  return (code ? path : whole).lexically_normal().string();
}

constexpr std::string_view kEscaped = "file://";  // begins no absolute path

// A path whose bytes are not UTF-8, which JSON cannot keep, as a file URI (RFC 8089).
std::string kept_place(const std::string& place) {
  if (utf8_prefix(place) == place.size()) return place;
  std::string text(kEscaped);
  for (const char c : place) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F || c == '%') {
      text += fmt::format("%{:02X}", byte);
    } else {
      text += c;
    }
  }
  return text;
}

// The path that kept_place() kept.
std::string place_from(const std::string& text) {
  if (!text.starts_with(kEscaped)) return text;
  std::string place;
  for (std::size_t i = kEscaped.size(); i < text.size(); ++i) {
    unsigned byte = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      place += static_cast<char>(byte);
      i += 2;
    } else {
      place += text[i];
    }
  }
  return place;
}

// The path given by --data or $LRA_DATA, if the data come from there.
std::string place_of(const tasks::Task& task, const tasks::OpenOptions& open) {
  if (!open.data.empty()) return absolute_text(open.data);
  const char* given = std::getenv("LRA_DATA");
  if (given == nullptr || *given == '\0') return "";
  return task.find(open).via == "$LRA_DATA" ? absolute_text(given) : "";
}

// Differences between the counts in use and those that the preset asks for.
std::vector<std::string> notes_of(const RunSpec& spec, const tasks::TaskData& data,
                                  const std::array<std::int64_t, 3>& counts) {
  std::vector<std::string> notes;
  for (const tasks::Split split : tasks::kSplits) {
    const std::size_t i = tasks::split_index(split);
    if (!spec.counts_wished[i] || spec.counts[i] < 0) continue;
    const auto name = tasks::split_name(split);
    if (counts[i] < spec.counts[i]) {
      notes.push_back(
          fmt::format("{} split: all {} examples; the preset asks for up to {}; "
                      "--set data.{}=N for another number",
                      name, counts[i], spec.counts[i], name));
    } else if (data.origin == Origin::official_cut ||
               data.description.find(", cut to the first ") != std::string::npos ||
               data.description.find(", cut to a sample of ") != std::string::npos) {
      notes.push_back(
          fmt::format("{} split: at most {} examples, as the preset asks; "
                      "--set data.{}=N for another number",
                      name, spec.counts[i], name));
    }
  }
  return notes;
}

RunData run_data(const RunSpec& spec, const tasks::Task& task, const tasks::OpenOptions& open,
                 tasks::TaskData data) {
  RunData result;
  DataUsed& used = result.used;
  used.sha256 = data.sha256;
  used.origin = name_of(data.origin);
  used.description = data.description;
  for (const tasks::Split split : tasks::kSplits) {
    used.counts[tasks::split_index(split)] = static_cast<std::int64_t>(data.split(split).size());
  }
  used.place = place_of(task, open);
  result.notes = notes_of(spec, data, used.counts);
  result.data = std::move(data);
  return result;
}

}  // namespace

template <class V>
void describe(V& v, DataUsed& used) {
  v("sha256", used.sha256);
  v("origin", used.origin);
  v("description", used.description);
  v("counts", used.counts);
  v("place", used.place);
}

json to_json(const DataUsed& used) {
  DataUsed kept = used;
  kept.place = kept_place(used.place);
  return to_fields(kept);
}

DataUsed data_used_from_json(const json& j, const std::string& where) {
  DataUsed used;
  try {
    from_fields(j, used);
  } catch (const json::exception& error) {
    fail(ErrorKind::data, "{}: data_used: malformed: {}", where, error.what());
  }
  used.place = place_from(used.place);
  return used;
}

std::string describe(const DataUsed& used) {
  return fmt::format("{}: {}; {}/{}/{} examples, sha256 {}{}", used.origin, used.description,
                     used.counts[0], used.counts[1], used.counts[2], used.sha256.substr(0, 12),
                     used.place.empty() ? "" : ", from " + valid_utf8(used.place));
}

tasks::OpenOptions open_options(const RunSpec& spec, const DataOptions& options) {
  tasks::OpenOptions open;
  open.data = spec.data.empty() ? options.data : spec.data;
  open.cache = options.cache;
  open.seed = static_cast<std::uint64_t>(spec.data_seed);
  open.counts = spec.counts;
  open.at_most = spec.counts_wished;
  open.via = options.via;
  open.progress = [progress = options.progress](std::string_view what, std::int64_t done,
                                                std::int64_t total) {
    if (!progress) return;
    progress(total > 0 ? fmt::format("{} {}/{}", what, done, total)
                       : fmt::format("{} {}", what, done));
  };
  return open;
}

RunData open_data(const RunSpec& spec, const DataOptions& options) {
  const auto task = tasks::create_task(spec.task, spec.task_options);
  const tasks::OpenOptions open = open_options(spec, options);
  return run_data(spec, *task, open, task->open(open));
}

std::optional<RunData> cached_data(const RunSpec& spec, const DataOptions& options) {
  const auto task = tasks::create_task(spec.task, spec.task_options);
  const tasks::OpenOptions open = open_options(spec, options);
  auto data = task->open_cached(open);
  if (!data) return std::nullopt;
  return run_data(spec, *task, open, *std::move(data));
}

}  // namespace lra::harness

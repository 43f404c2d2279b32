// JSON lines: an object per line with a label and a text, ids, numbers, or two texts.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "tasks/file/formats.h"
#include "tasks/io/lines.h"
#include "tasks/io/table.h"

namespace lra::tasks::file {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// The member with the first existing name. Throws Error(data) naming `what` was wanted.
const json& member(const json& object, const std::vector<std::string>& names, const char* what) {
  for (const std::string& name : names) {
    if (const auto found = object.find(name); found != object.end()) return *found;
  }
  std::string keys;
  for (const auto& [key, value] : object.items()) keys += (keys.empty() ? "" : ", ") + key;
  fail(ErrorKind::data, "no member for {}; got {}", what, shortened(keys));
}

std::string text_of(const json& value, const char* what) {
  if (!value.is_string()) {
    fail(ErrorKind::data, "{}; got {}, expected a text", what, shortened(json_text(value)));
  }
  return value.get<std::string>();
}

std::string label_of(const json& value) {
  if (value.is_string()) return plain_label(value.get<std::string>());
  if (value.is_boolean() || value.is_number()) return plain_label(value.dump());
  fail(ErrorKind::data, "label; got {}, expected a text or a number", shortened(json_text(value)));
}

// The numbers of nested arrays (a picture's rows), in order.
void add_numbers(const json& value, const Settings& settings, std::vector<std::int64_t>& ids) {
  if (value.is_array()) {
    for (const json& part : value) add_numbers(part, settings, ids);
    return;
  }
  if (!value.is_number()) {
    fail(ErrorKind::data, "the example; got {}, expected an array of numbers",
         shortened(json_text(value)));
  }
  const std::string wrong = add_id(value.get<double>(), settings, ids);
  if (!wrong.empty()) throw Error(ErrorKind::data, wrong);
}

void fill_pair(Record& record, const json& object, const Settings& settings) {
  std::vector<std::string> names = listed(settings.text_columns);
  if (names.empty()) {
    for (const auto& [a, b] : usual_names().pair) {
      if (object.contains(a) && object.contains(b)) names = {a, b};
      if (!names.empty()) break;
    }
  }
  if (names.size() != 2) {
    fail(ErrorKind::data, "no members for two texts; set task.text_columns=A,B");
  }
  record.text = text_of(member(object, {names[0]}, "the first text"), "the first text");
  record.second = text_of(member(object, {names[1]}, "the second text"), "the second text");
}

Record record_of(const json& object, const Settings& settings) {
  if (!object.is_object()) {
    fail(ErrorKind::data, "got {}, expected an object per line", shortened(json_text(object)));
  }
  Record record;
  const auto label = listed(settings.label_column);
  record.label = label_of(member(object, label.empty() ? usual_names().label : label,
                                 "the label; set task.label_column"));
  if (settings.kind == Kind::pair) {
    fill_pair(record, object, settings);
    return record;
  }
  const auto named = listed(settings.text_columns);
  const auto names = named.empty() ? usual_names().text : named;
  if (settings.kind != Kind::text) {
    add_numbers(member(object, names, "the example; set task.text_columns"), settings, record.ids);
    return record;
  }
  if (named.empty()) {
    record.text = text_of(member(object, names, "the text; set task.text_columns"), "the text");
  }
  for (const std::string& name : named) {
    if (name != named.front()) record.text += ' ';
    record.text += text_of(member(object, {name}, "the text"), "the text");
  }
  return record;
}

void read_lines(const Part& part, const Settings& settings, const Handler& handler) {
  const std::string file = part.path.string();
  const std::string content = read_file(part.path);
  LineReader lines(without_mark(content, file));
  Line line;
  bool any = false;
  while (lines.next(line)) {
    if (line.text.find_first_not_of(" \t") == std::string_view::npos) continue;
    any = true;
    const std::string place = line_place(file, line.number);
    json object;
    try {
      object = parse_json(line.text, file, ErrorKind::data, line.number);
    } catch (const Error& error) {
      handler.fault(error.what());
      continue;
    }
    try {
      Record record = record_of(object, settings);
      record.place = place;
      handler.take(record);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::data) throw;
      handler.fault(fmt::format("{}: {}", place, error.what()));
    }
  }
  if (!any) fail(ErrorKind::data, "{}:1: the file is empty", file);
}

}  // namespace

Format json_lines() {
  return {"JSON lines",
          [](const fs::path& path) {
            return parts_by_name(path, {".jsonl", ".ndjson", ".json"});
          },
          [](const Part& part) { return std::vector<fs::path>{part.path}; }, read_lines};
}

}  // namespace lra::tasks::file

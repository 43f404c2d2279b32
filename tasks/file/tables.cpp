// CSV and TSV tables: a label and the example, with or without a header. Also the tables of Zhang,
// Zhao, LeCun 2015 ("Character-level Convolutional Networks for Text Classification"), as
// published: AG News and DBpedia (class, title, text), Yelp and Amazon (class, text).

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tasks/file/formats.h"
#include "tasks/io/lines.h"
#include "tasks/io/table.h"

namespace lra::tasks::file {
namespace {

namespace fs = std::filesystem;
using Fields = std::vector<std::string>;

struct Columns {
  std::size_t label = 0;
  std::vector<std::size_t> example;
  std::size_t count = 0;
  bool header = false;
};

std::optional<std::size_t> column_number(const std::string& name, std::size_t count) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  if (number < 1 || number > count) return std::nullopt;
  return number - 1;
}

class ColumnFinder {
 public:
  ColumnFinder(const Fields& first, const Settings& settings, std::string where)
      : settings_(settings), where_(std::move(where)) {
    for (const std::string& field : first) names_.push_back(lower_case(plain_label(field)));
    columns_.count = first.size();
  }

  Columns find() {
    const auto label = label_column();
    auto example = example_columns();
    if (!columns_.header && (label.known || example.known)) columns_.header = true;
    if (columns_.header && !label.at) {
      fail_header("label", "task.label_column");
    }
    columns_.label = label.at.value_or(0);
    if (columns_.label >= columns_.count) fail_count(1);
    if (example.at.empty()) {
      const bool text = settings_.kind == Kind::text || settings_.kind == Kind::pair;
      if (columns_.header && text) fail_header("the example", "task.text_columns");
      for (std::size_t i = 0; i < columns_.count; ++i) {
        if (i != columns_.label) example.at.push_back(i);
      }
    }
    std::erase(example.at, columns_.label);
    columns_.example = std::move(example.at);
    const std::size_t wanted = settings_.kind == Kind::pair ? 2 : 1;
    if (columns_.example.size() < wanted ||
        (settings_.kind == Kind::pair && columns_.example.size() > wanted)) {
      fail_count(wanted);
    }
    return columns_;
  }

 private:
  struct Label {
    std::optional<std::size_t> at;
    bool known = false;  // the first line names it
  };
  struct Example {
    std::vector<std::size_t> at;
    bool known = false;
  };

  [[nodiscard]] std::optional<std::size_t> named(const std::string& name) const {
    const auto found = std::find(names_.begin(), names_.end(), lower_case(name));
    if (found == names_.end()) return std::nullopt;
    return static_cast<std::size_t>(found - names_.begin());
  }

  // A column given by name or number.
  std::size_t given(const std::string& name, const char* option) {
    if (const auto at = column_number(name, columns_.count)) return *at;
    if (const auto at = named(name)) {
      columns_.header = true;
      return *at;
    }
    fail(ErrorKind::data, "{}: {}: got columns {}, expected one named '{}'", where_, option,
         shown(), printable(name));
  }

  Label label_column() {
    if (!settings_.label_column.empty()) {
      return {given(settings_.label_column, "task.label_column"), false};
    }
    for (const std::string& name : usual_names().label) {
      if (const auto at = named(name)) return {at, true};
    }
    return {};
  }

  Example example_columns() {
    Example example;
    for (const std::string& name : listed(settings_.text_columns)) {
      example.at.push_back(given(name, "task.text_columns"));
    }
    if (!example.at.empty()) return example;
    if (settings_.kind == Kind::pair) {
      for (const auto& [a, b] : usual_names().pair) {
        const auto first = named(a);
        const auto second = named(b);
        if (first && second) return {{*first, *second}, true};
      }
      return example;
    }
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const auto& usual = usual_names().text;
      if (std::find(usual.begin(), usual.end(), names_[i]) != usual.end()) example.at.push_back(i);
    }
    example.known = !example.at.empty();
    return example;
  }

  [[nodiscard]] std::string shown() const {
    constexpr std::size_t kShown = 8;
    std::vector<std::string> names;
    for (std::size_t i = 0; i < std::min(kShown, names_.size()); ++i) {
      names.push_back("'" + printable(names_[i]) + "'");
    }
    return fmt::format("{}{}", fmt::join(names, ", "), names_.size() > kShown ? ", ..." : "");
  }
  [[noreturn]] void fail_header(const char* what, const char* option) const {
    fail(ErrorKind::data, "{}: no column for {}; got {}; set {} to a name or number", where_, what,
         shown(), option);
  }
  [[noreturn]] void fail_count(std::size_t wanted) const {
    fail(ErrorKind::data, "{}: columns; got {}, expected a label and {} more", where_,
         columns_.count, wanted == 2 ? "two texts" : "one or");
  }

  const Settings& settings_;
  std::string where_;
  Fields names_;
  Columns columns_;
};

// Whether the first line of a table without a header looks like a header: its label is a word while
// all others are numbers, or the only one of its class.
bool looks_like_header(const std::string& first,
                       const std::map<std::string, std::int64_t>& labels) {
  const auto is_number = [](const std::string& label) {
    return !label.empty() && label.find_first_not_of("+-.0123456789") == std::string::npos;
  };
  if (labels.size() < 2 || is_number(first) || labels.at(first) > 1) return false;
  return std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
    return label.first == first || is_number(label.first) || label.second > 1;
  });
}

// Fills the record's example from its fields. Returns the fault, or an empty text.
std::string fill(Record& record, Fields& fields, const Columns& columns, const Settings& settings) {
  const Kind kind = settings.kind;
  if (kind == Kind::pair) {
    record.text = std::move(fields[columns.example[0]]);
    record.second = std::move(fields[columns.example[1]]);
    return {};
  }
  for (const std::size_t column : columns.example) {
    if (kind == Kind::text) {
      if (column != columns.example.front()) record.text += ' ';
      record.text += fields[column];
    } else if (std::string wrong = parse_ids(fields[column], settings, record.ids);
               !wrong.empty()) {
      return wrong;
    }
  }
  return {};
}

void read_table(const Part& part, const Settings& settings, const Handler& handler) {
  const std::string file = part.path.string();
  const std::string content = read_file(part.path);
  const bool csv = lower_case(part.path.extension().string()) == ".csv";
  TableReader table(without_mark(content, file), file, csv ? ',' : '\t');
  Fields fields;
  std::int64_t line = 0;
  std::optional<Columns> columns;
  std::map<std::string, std::int64_t> labels;
  std::string first_label;
  while (table.next(fields, line)) {
    const std::string place = line_place(file, line);
    if (!columns) {
      columns = ColumnFinder(fields, settings, place).find();
      if (columns->header) continue;
      first_label = plain_label(fields[columns->label]);
    }
    if (fields.size() != columns->count) {
      handler.fault(
          fmt::format("{}: columns; got {}, expected {}", place, fields.size(), columns->count));
      continue;
    }
    Record record;
    record.place = place;
    record.label = plain_label(fields[columns->label]);
    ++labels[record.label];
    if (const std::string wrong = fill(record, fields, *columns, settings); !wrong.empty()) {
      handler.fault(fmt::format("{}: {}", place, wrong));
      continue;
    }
    handler.take(record);
  }
  if (!columns) fail(ErrorKind::data, "{}:1: the file is empty", file);
  if (!columns->header && looks_like_header(first_label, labels)) {
    handler.fault(fmt::format(
        "{}: label '{}' of no other line; if this line is a header, set task.label_column and "
        "task.text_columns to its names",
        line_place(file, 1), printable(first_label)));
  }
}

}  // namespace

Format tables() {
  return {"tables",
          [](const fs::path& path) {
            return parts_by_name(path, {".csv", ".tsv"});
          },
          [](const Part& part) { return std::vector<fs::path>{part.path}; }, read_table};
}

}  // namespace lra::tasks::file

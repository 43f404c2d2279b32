#include "results/analysis/leaderboard_layout.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

namespace lra::results {
namespace {

using nlohmann::json;

DataClass data_of(const Record& record) {
  return {record.task.origin, record.task.data_sha256, record.task.version, record.task.options};
}

// A deviation "KEY: VALUE instead of STANDARD" in its parts; KEY alone if it has another form.
struct Setting {
  explicit Setting(const std::string& deviation) {
    const std::size_t colon = deviation.find(": ");
    key = deviation.substr(0, colon);
    if (colon == std::string::npos) return;
    value = deviation.substr(colon + 2);
    const std::size_t instead = value.rfind(kInstead);
    if (instead == std::string::npos) return;
    standard = value.substr(instead + kInstead.size());
    value.resize(instead);
  }
  static constexpr std::string_view kInstead = " instead of ";
  std::string key, value;
  std::optional<std::string> standard;
};

std::string short_text(const std::string& key, std::string value) {
  if (value.empty()) return key;
  if (value.size() > 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  return key + "=" + value;
}

// What distinguishes the data of a task from its first: differing options, the origin, or the
// digest.
std::string difference_of(const DataClass& data, const DataClass& first) {
  std::vector<std::string> parts;
  const json mine = json::parse(data.options.text);
  const json theirs = json::parse(first.options.text);
  for (const auto& [key, value] : mine.items()) {
    if (theirs.value(key, json()) != value) parts.push_back(short_text(key, value.dump()));
  }
  for (const auto& [key, value] : theirs.items()) {
    if (!mine.contains(key)) parts.push_back("no " + key);
  }
  if (data.version != first.version) parts.push_back(fmt::format("task version {}", data.version));
  if (data.origin != first.origin) {
    parts.push_back(data.origin ? fmt::format("{} data", name_of(*data.origin)) : "no data");
  }
  if (parts.empty()) {
    parts.push_back(data.sha256 ? "data " + data.sha256->substr(0, 8) : std::string("no data"));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

BoardColumns::BoardColumns(const Pointers& order) {
  std::map<std::string, std::map<DataClass, std::int64_t>, TaskBefore> tasks;
  for (const auto* record : order) {
    auto& classes = tasks[record->task.name];
    if (record->task.origin) ++classes[data_of(*record)];
  }
  for (const auto* record : order) {  // runs that failed before their data were open
    auto& classes = tasks[record->task.name];
    if (!record->task.origin && !home_of(*record, classes)) classes[data_of(*record)] = 0;
  }
  for (const auto& [task, classes] : tasks) add_task(task, classes);
  std::set<std::size_t> titled;
  for (const auto* record : order) {
    const auto home = home_of(*record, tasks[record->task.name]);
    const DataClass data = home ? *home : data_of(*record);
    const auto at = std::find_if(columns.begin(), columns.end(), [&](const BoardColumn& column) {
      return column.task == record->task.name && column.data == data;
    });
    column_of[record] = static_cast<std::size_t>(at - columns.begin());
    if (!titled.insert(column_of[record]).second) continue;
    at->title = at->title.empty() ? record->task.title
                                  : fmt::format("{} ({})", record->task.title, at->title);
  }
}

std::vector<DataClass> BoardColumns::by_use(const Classes& classes) {
  std::vector<DataClass> sorted;
  for (const auto& [data, runs] : classes) sorted.push_back(data);
  std::stable_sort(sorted.begin(), sorted.end(), [&](const DataClass& a, const DataClass& b) {
    if (a.comparable() != b.comparable()) return a.comparable();
    return classes.at(a) > classes.at(b);
  });
  return sorted;
}

std::optional<DataClass> BoardColumns::home_of(const Record& record, const Classes& classes) {
  if (record.task.origin) return std::nullopt;
  for (const DataClass& data : by_use(classes)) {
    if (data.origin && data.options == record.task.options) return data;
  }
  return std::nullopt;
}

void BoardColumns::add_task(const std::string& task, const Classes& classes) {
  const auto sorted = by_use(classes);
  std::map<std::string, int> uses;
  for (const DataClass& data : sorted) {
    BoardColumn column;
    column.task = column.id = task;
    column.data = data;
    if (&data != &sorted.front()) {
      column.id += "@" + (data.sha256 ? data.sha256->substr(0, 8) : std::string("none"));
      column.title = difference_of(data, sorted.front());
    }
    if (const int repeats = uses[column.id]++) column.id += fmt::format(".{}", repeats + 1);
    columns.push_back(std::move(column));
  }
}

BoardRows::BoardRows(const Pointers& order, const std::map<const Record*, std::size_t>& column_of)
    : column_of_(column_of) {
  for (const auto* record : order) {
    Variant& variant = variants_[conditions(*record)];
    const std::size_t column = column_of.at(record);
    ++variant.runs[column];
    for (const auto& text : record->deviations) {
      const Setting setting(text);
      ++variant.stated[setting.key][column][setting.value];
      variant.values[setting.key].insert(setting.value);
      if (setting.standard) standards_[column][setting.key] = *setting.standard;
    }
  }
  for (auto& [key, variant] : variants_) {
    for (const auto& [setting, columns] : variant.stated) {
      for (const auto& [column, values] : columns) {
        if (values.size() > 1 || values.begin()->second < variant.runs.at(column)) {
          variant.telling.insert(setting);
        }
      }
    }
  }
  // Runs of one cell that still differ, e.g. in the standard value: their deviations in full.
  std::map<std::tuple<Conditions, std::vector<std::string>, std::size_t>,
           std::set<std::vector<std::string>>>
      cells;
  for (const auto* record : order) {
    cells[{conditions(*record), settings_of(*record), column_of.at(record)}].insert(
        record->deviations);
  }
  for (const auto& [key, deviations] : cells) {
    if (deviations.size() > 1) variants_.at(std::get<0>(key)).verbatim = true;
  }
}

std::vector<std::string> BoardRows::settings_of(const Record& record) const {
  const Variant& variant = variants_.at(conditions(record));
  if (variant.verbatim) return record.deviations;
  std::map<std::string, std::string> values;
  for (const auto& text : record.deviations) {
    const Setting setting(text);
    values.emplace(setting.key, setting.value);
  }
  std::vector<std::string> settings;
  for (const auto& key : variant.telling) {
    const auto stated = values.find(key);
    if (stated != values.end()) {
      settings.push_back(short_text(key, stated->second));
    } else if (const auto standard = standard_of(record, key);
               standard && variant.values.at(key).count(*standard) != 0) {
      settings.push_back(short_text(key, *standard));  // another task had to be set to it
    }
  }
  return settings;
}

std::optional<std::string> BoardRows::standard_of(const Record& record,
                                                  const std::string& key) const {
  const auto column = standards_.find(column_of_.at(&record));
  if (column == standards_.end()) return std::nullopt;
  const auto found = column->second.find(key);
  return found == column->second.end() ? std::nullopt : std::optional(found->second);
}

std::string short_setting(const std::string& deviation) {
  const Setting setting(deviation);
  return short_text(setting.key, setting.value);
}

}  // namespace lra::results

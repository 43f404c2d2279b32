#include "results/table/table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "results/analysis/wanted.h"

namespace lra::results {
namespace {

using nlohmann::json;

std::string option_text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool wants(const std::vector<std::string>& wanted, const std::string& name) {
  return wanted.empty() || contains(wanted, name);
}

}  // namespace

std::vector<std::string> shared_options(const std::vector<Entry>& entries) {
  std::set<std::string> names;
  std::vector<std::string> shared;
  for (const Entry& entry : entries) {
    const json values = json::parse(entry.attention.options.text);
    std::vector<std::string> changed;
    for (const auto& key : entry.attention.changed) {
      if (values.contains(key)) {
        changed.push_back(fmt::format("{}={}", key, option_text(values[key])));
      }
    }
    if (&entry == &entries.front()) shared = changed;
    std::erase_if(shared, [&](const std::string& text) { return !contains(changed, text); });
    names.insert(entry.attention.name);
  }
  if (names.size() < 2) shared.clear();  // already in the row
  return shared;
}

std::vector<std::string> entry_labels(const std::vector<Entry>& entries) {
  const std::vector<std::string> shared = shared_options(entries);
  // Occurring values of everything that can distinguish entries.
  std::map<std::string, std::map<std::string, std::set<std::string>>> options;  // by attention
  std::map<std::string, std::map<std::string, std::size_t>> present;
  std::map<std::string, std::size_t> with_name;
  std::set<std::string> presets;
  std::set<std::string> protocols;
  std::set<std::string> precisions;
  std::map<std::string, std::size_t> machines;
  for (const auto& entry : entries) {
    presets.insert(entry.preset);
    protocols.insert(entry.protocol);
    precisions.emplace(name_of(entry.precision));
    ++machines[machine_of(entry.environment)];
    const json values = json::parse(entry.attention.options.text);
    for (const auto& [key, value] : values.items()) {
      options[entry.attention.name][key].insert(option_text(value));
      ++present[entry.attention.name][key];
    }
    ++with_name[entry.attention.name];
  }
  std::vector<std::vector<std::string>> details(entries.size());
  const auto label = [&](std::size_t i) {
    const std::string& name = entries[i].attention.label;
    return details[i].empty() ? name : fmt::format("{} ({})", name, fmt::join(details[i], ", "));
  };
  std::map<std::string, std::size_t> uses;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    const std::string& name = entry.attention.name;
    const json values = json::parse(entry.attention.options.text);
    for (const auto& [key, value] : values.items()) {
      const std::string text = fmt::format("{}={}", key, option_text(value));
      const bool changed = contains(entry.attention.changed, key) && !contains(shared, text);
      if (changed || options[name][key].size() > 1 || present[name][key] < with_name[name]) {
        details[i].push_back(text);
      }
    }
    details[i].insert(details[i].end(), entry.settings.begin(), entry.settings.end());
    if (presets.size() > 1) details[i].push_back(entry.preset);
    if (protocols.size() > 1 && entry.protocol != entry.preset) {
      details[i].push_back("protocol " + entry.protocol);
    }
    if (precisions.size() > 1) details[i].emplace_back(name_of(entry.precision));
    ++uses[label(i)];
  }
  // Rare properties are named only where labels would repeat.
  std::vector<std::string> labels(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    if (uses[label(i)] > 1 && machines[machine_of(entry.environment)] * 2 <= entries.size()) {
      details[i].push_back(entry.environment.cpu);
    }
    labels[i] = label(i);
  }
  // Labels name rows and points in pictures, so they must be unique.
  std::map<std::string, int> repeats;
  for (const auto& text : labels) ++repeats[text];
  std::map<std::string, int> numbered;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (repeats[labels[i]] < 2) continue;
    details[i].push_back(machine_of(entries[i].environment));
    labels[i] = label(i);
    if (const int same = ++numbered[labels[i]]; same > 1) labels[i] += fmt::format(" #{}", same);
  }
  return labels;
}

std::vector<Record> select_records(const std::vector<Record>& records,
                                   const TableOptions& options) {
  std::set<std::string> tasks;
  std::set<std::string> attentions;
  for (const auto& record : records) {
    tasks.insert(record.task.name);
    attentions.insert(record.attention.name);
  }
  require_wanted(options.tasks, tasks, "task", "results");
  require_wanted(options.attentions, attentions, "attention", "results");
  if (!options.division.empty()) {
    const auto divisions = words_of<Division>();
    require_wanted({options.division}, {divisions.begin(), divisions.end()}, "division", "results");
  }
  std::vector<Record> kept;
  std::copy_if(records.begin(), records.end(), std::back_inserter(kept), [&](const Record& r) {
    return wants(options.tasks, r.task.name) && wants(options.attentions, r.attention.name) &&
           (options.division.empty() || options.division == name_of(r.division.name));
  });
  if (options.baseline != TableOptions().baseline) {
    require_wanted({options.baseline}, attentions, "baseline attention", "results");
  }
  if (kept.empty()) fail(ErrorKind::data, "table: none of {} records is left", records.size());
  return kept;
}

Table build_table(const std::vector<Record>& records, const TableOptions& options) {
  return build_table(build_leaderboard(select_records(records, options), options.baseline),
                     options);
}

std::string format_p(double p) { return p < 0.0005 ? "p < 0.001" : fmt::format("p = {:.3f}", p); }

std::string format_number(double value, int decimals, bool sign) {
  return format_number_like(value, value, decimals, sign);
}

std::string format_number_like(double value, double reference, int decimals, bool sign) {
  if (decimals < 0) {  // three significant digits of the reference
    const double magnitude = reference == 0 ? 0 : std::floor(std::log10(std::abs(reference)));
    if (magnitude > 2) {
      const double unit = std::pow(10, magnitude - 2);
      value = std::round(value / unit) * unit;
    }
    decimals = static_cast<int>(std::clamp(2 - magnitude, 0.0, 6.0));
  }
  std::string text = fmt::format("{:.{}f}", std::abs(value), decimals);
  for (auto at = static_cast<std::ptrdiff_t>(std::min(text.find('.'), text.size())) - 3; at > 0;
       at -= 3) {
    text.insert(static_cast<std::size_t>(at), 1, ',');
  }
  const bool zero = text.find_first_not_of("0.,") == std::string::npos;
  if (value < 0 && !zero) return fmt::format("-{}", text);
  return sign && !zero ? fmt::format("+{}", text) : text;
}

std::string mark_letter(std::size_t index) {
  const std::string last(1, static_cast<char>('a' + index % 26));
  return index < 26 ? last : mark_letter(index / 26 - 1) + last;
}

std::string render_table(const std::vector<Record>& records, const TableOptions& options) {
  if (options.format == TableFormat::leaderboard) {
    const auto board = build_leaderboard(select_records(records, options), options.baseline);
    return json_text(to_json(board), 2) + "\n";
  }
  return format_table(build_table(records, options), options.format);
}

}  // namespace lra::results

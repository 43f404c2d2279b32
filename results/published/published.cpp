#include "results/published/published.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "embedded/published.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json_schema.h"

namespace lra::results {
namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? "" : found->get<std::string>();
}

// A member, or an empty object.
const json& object_of(const json& value, const char* key) {
  static const json none = json::object();
  const auto found = value.find(key);
  return found == value.end() ? none : *found;
}

PublishedRow parse_row(const json& value) {
  PublishedRow row;
  row.model = value.at("model").get<std::string>();
  if (value.contains("attention")) row.attention = value["attention"].get<std::string>();
  for (const auto& [task, score] : object_of(value, "scores").items()) {
    if (score.is_null()) continue;
    auto& slot = row.scores[task];
    slot.failed = score.is_string();
    if (score.is_number()) slot.percent = score.get<double>();
  }
  if (value.contains("average_printed"))
    row.average_printed = value["average_printed"].get<double>();
  row.average_rule = text_of(value, "average_rule");
  row.note = text_of(value, "note");
  row.copied_from = text_of(value, "copied_from");
  row.extra = value.value("extra", row.extra);
  for (const auto& [metric, points] : object_of(value, "series").items()) {
    for (const auto& [at, number] : points.items()) {
      row.series[metric][at] = number.is_number() ? Real(number.get<double>()) : Real();
    }
  }
  return row;
}

std::string folded(std::string_view key) {
  std::string out;
  for (const char c : key) {
    if (c != '-' && c != '_') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

// Rounded figures: half a unit of one printed decimal, and a little.
constexpr double kAverageTolerance = 0.065;

void check_average(const PublishedRow& row, std::vector<std::string>& slips) {
  if (!row.average_printed) return;
  const double printed = *row.average_printed;
  if (row.average_rule.empty()) {
    slips.push_back(fmt::format("{}: average {} without average_rule", row.model, printed));
  } else if (row.average_rule == "other") {
    if (row.note.empty()) {
      slips.push_back(
          fmt::format("{}: average {} under no known rule, without a note", row.model, printed));
    }
  } else {
    Real expected = average_of(row, row.average_rule == "five" ? 5 : 6);
    if (row.average_rule == "six_fail_50") {
      expected = average_of(row, 5);
      if (expected) expected = (5 * *expected + 50) / 6;
    }
    if (!expected || std::abs(*expected - printed) > kAverageTolerance) {
      slips.push_back(fmt::format("{}: printed average {}, but rule '{}' gives {}", row.model,
                                  printed, row.average_rule,
                                  expected ? fmt::format("{:.3f}", *expected) : "none"));
    }
  }
}

void check_scores(const PublishedRow& row, std::vector<std::string>& slips) {
  for (const auto& [task, score] : row.scores) {
    if (!score.percent) continue;
    const auto* known = std::find_if(kLraTasks.begin(), kLraTasks.end(),
                                     [&](const LraTask& lra) { return lra.name == task; });
    if (known == kLraTasks.end()) {
      slips.push_back(fmt::format("{}: unknown task '{}'", row.model, task));
    } else if (*score.percent <= 1) {
      slips.push_back(fmt::format("{}: {} {} looks like a fraction, expected percent", row.model,
                                  task, *score.percent));
    } else if (*score.percent < 0.9 * known->chance) {
      slips.push_back(fmt::format("{}: {} {} is far below chance ({})", row.model, task,
                                  *score.percent, known->chance));
    }
  }
}

// Points of a series in ascending length; empty if its keys are not lengths.
std::map<std::int64_t, Real> by_length(const std::map<std::string, Real>& points) {
  std::map<std::int64_t, Real> out;
  for (const auto& [at, value] : points) {
    if (at.find_first_not_of("0123456789") != std::string::npos) return {};
    out[std::atoll(at.c_str())] = value;
  }
  return out;
}

void check_series(const Published& table, const PublishedRow& row,
                  std::vector<std::string>& slips) {
  for (const auto& [metric, points] : row.series) {
    const bool memory = metric.find("memory") != std::string::npos;
    Real last;
    for (const auto& [n, value] : by_length(points)) {
      if (memory && last && value && *value < *last) {
        slips.push_back(fmt::format("{}: {} falls from {} to {} at n = {}", row.model, metric,
                                    *last, *value, n));
      }
      if (value) last = value;
    }
  }
  const auto relative = row.series.find("relative");
  const auto speed = row.series.find("steps_per_second");
  const auto* base = table.row_of("softmax");
  if (relative == row.series.end() || speed == row.series.end() || base == nullptr) return;
  for (const auto& [n, factor] : relative->second) {
    const Real mine = speed->second.at(n);
    const Real reference = base->series.at("steps_per_second").at(n);
    // Both speeds and the factor are rounded to one decimal.
    if (factor && mine && reference && std::abs(*mine / *reference - *factor) > 0.2) {
      slips.push_back(fmt::format("{}: relative speed {} at n = {}, but {} / {} steps/s", row.model,
                                  *factor, n, *mine, *reference));
    }
  }
}

}  // namespace

std::string Published::short_name() const {
  if (authors.empty() || !year) return title;
  const std::string first = authors.substr(0, authors.find_first_of(','));
  const std::string name = first.substr(first.rfind(' ') + 1);
  const bool several = authors.find(',') != std::string::npos;
  return fmt::format("{}{} {}", name, several ? " et al." : "", *year);
}

std::string Published::source_line() const {
  std::string line = short_name();
  if (!arxiv.empty()) line += fmt::format(", arXiv:{}", arxiv);
  line += fmt::format("; read in: {}; {}", fmt::join(read_at, ", "),
                      secondary ? "secondary" : "primary");
  if (!confidence_note.empty()) line += fmt::format(" ({})", confidence_note);
  return line;
}

std::string Published::bibtex_key() const {
  if (authors.empty() || !year) return "";
  // Lower-case letters and digits only; ö and é lose their dots and accents.
  const auto plain = [](const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      if (std::isalnum(c) != 0) out += static_cast<char>(std::tolower(c));
      if (c == 0xc3 && i + 1 < text.size()) {
        const auto next = static_cast<unsigned char>(text[i + 1]);
        if (next == 0xb6 || next == 0x96) out += 'o';
        if (next == 0xa9 || next == 0x89) out += 'e';
      }
    }
    return out;
  };
  const std::string first = authors.substr(0, authors.find_first_of(','));
  std::string name = plain(first.substr(first.rfind(' ') + 1)) + std::to_string(*year);
  for (std::size_t at = 0; at < title.size();) {
    const std::size_t end = std::min(title.find_first_of(" :-", at), title.size());
    const std::string word = plain(title.substr(at, end - at));
    if (word.size() > 3) return name + word;
    at = end + 1;
  }
  return name;
}

std::string Published::bibtex() const {
  std::string names = authors;
  for (std::size_t at = 0; (at = names.find(", ", at)) != std::string::npos;) {
    names.replace(at, 2, " and ");
  }
  std::string entry =
      fmt::format("@misc{{{},\n  title = {{{{{}}}}},\n  author = {{{}}},\n  year = {{{}}}",
                  bibtex_key(), title, names, *year);
  if (!arxiv.empty())
    entry += fmt::format(",\n  eprint = {{{}}},\n  archivePrefix = {{arXiv}}", arxiv);
  if (!venue.empty()) entry += fmt::format(",\n  note = {{{}}}", venue);
  return entry + "\n}";
}

const PublishedRow* Published::row_of(std::string_view attention) const {
  for (const auto& row : rows) {
    if (row.attention == attention) return &row;
  }
  return nullptr;
}

Real average_of(const PublishedRow& row, std::size_t count) {
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto score = row.scores.find(kLraTasks[i].name);
    if (score == row.scores.end() || !score->second.percent) return std::nullopt;
    sum += *score->second.percent;
  }
  return sum / static_cast<double>(count);
}

std::vector<std::string> implausible(const Published& table) {
  std::vector<std::string> slips;
  std::set<std::string> models;
  std::set<std::string> attentions;
  for (const auto& row : table.rows) {
    if (!models.insert(row.model).second) {
      slips.push_back(fmt::format("{}: occurs twice", row.model));
    }
    if (row.attention && !attentions.insert(*row.attention).second) {
      slips.push_back(fmt::format("{}: variant '{}' occurs twice", row.model, *row.attention));
    }
    const bool efficiency = table.kind == "efficiency";
    if (efficiency ? row.series.empty() : row.scores.empty()) {
      slips.push_back(fmt::format("{}: no {}", row.model, efficiency ? "series" : "scores"));
    }
    check_scores(row, slips);
    check_average(row, slips);
    check_series(table, row, slips);
  }
  return slips;
}

Published parse_published(std::string_view text, std::string_view where) {
  static const JsonSchema schema(schema_text("published"), "published.schema.json");
  const json value = parse_json(text, std::string(where));
  schema.require(value, where);
  Published table;
  table.key = value["key"].get<std::string>();
  table.kind = value["kind"].get<std::string>();
  const json& paper = value["paper"];
  table.title = text_of(paper, "title");
  table.authors = text_of(paper, "authors");
  table.arxiv = text_of(paper, "arxiv");
  table.venue = text_of(paper, "venue");
  if (paper["year"].is_number()) table.year = paper["year"].get<std::int64_t>();
  value["read_at"].get_to(table.read_at);
  table.secondary = value["confidence"] == "secondary";
  table.confidence_note = text_of(value, "confidence_note");
  table.preset = text_of(value, "preset");
  table.protocol = text_of(value, "protocol");
  table.average = text_of(value, "average");
  table.notes = value.value("notes", table.notes);
  for (const auto& row : value["rows"]) table.rows.push_back(parse_row(row));
  const auto slips = implausible(table);
  if (!slips.empty()) {
    fail(ErrorKind::data, "{}: not plausible: {}", where, fmt::join(slips, "; "));
  }
  return table;
}

const std::vector<Published>& published_tables() {
  static const std::vector<Published> tables = [] {
    std::vector<Published> read;
    for (const auto& file : embedded::published()) {
      read.push_back(parse_published(file.content, file.name));
    }
    return read;
  }();
  return tables;
}

Published find_published(const std::string& name) {
  if (name.ends_with(".json")) return parse_published(read_file(name), name);
  std::vector<std::string> keys;
  for (const auto& table : published_tables()) {
    if (folded(table.key) == folded(name)) return table;
    keys.push_back(table.key);
  }
  throw Error(ErrorKind::usage, unknown_name_message("published table", name, keys));
}

}  // namespace lra::results

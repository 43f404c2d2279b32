// The lines above a table (what its runs share) and below it (its data and what columns mean).

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "results/table/builder.h"

namespace lra::results {
namespace {

using Kind = Column::Kind;

// "own data, text, 257 ids, length 300, ...": its options, without the list of labels and unchanged
// ones.
std::string describe_own_data(const DataClass& data) {
  const auto options = nlohmann::json::parse(data.options.text);
  const auto text_of = [&](const char* key) {
    const auto found = options.find(key);
    return found == options.end() ? std::string("?")
           : found->is_string()   ? found->get<std::string>()
                                  : found->dump();
  };
  std::string changed;  // ", permute 0": what makes other examples of the same files
  for (const auto& [key, value] : {std::pair{"colour", "keep"},
                                   {"permute", "-1"},
                                   {"words", ""},
                                   {"label_column", ""},
                                   {"text_columns", ""}}) {
    if (options.contains(key) && text_of(key) != value) {
      changed += fmt::format(", {} {}", key, text_of(key));
    }
  }
  return fmt::format("own data, {}, {} ids, length {}{}{}", text_of("kind"), text_of("vocabulary"),
                     text_of("max_length"), changed,
                     data.sha256 ? ", sha256 " + data.sha256->substr(0, 12) : "");
}

}  // namespace

std::string describe_data(const DataClass& data) {
  if (data.origin == Origin::own) return describe_own_data(data);
  std::string text =
      data.origin ? fmt::format("{} data", name_of(*data.origin)) : std::string("no data");
  text += fmt::format(", task version {}", data.version);
  if (data.options.text != "{}") text += fmt::format(", options {}", data.options.text);
  if (data.sha256) text += fmt::format(", sha256 {}", data.sha256->substr(0, 12));
  return text;
}

std::string TableBuilder::day_of(const std::string& time) { return time.substr(0, time.find('T')); }

void TableBuilder::add_head() {
  std::set<std::string> presets;
  std::set<std::string> protocols;
  std::set<std::string> precisions;
  for (const auto& entry : board_.entries) {
    presets.insert(entry.preset);
    protocols.insert(entry.protocol);
    precisions.emplace(name_of(entry.precision));
  }
  table_.head.push_back(fmt::format("Preset {}; protocol {}; {}. Machine: {}.",
                                    fmt::join(presets, ", "), fmt::join(protocols, ", "),
                                    fmt::join(precisions, ", "), reference_machine_));
  if (!board_.settings.empty()) {
    table_.head.push_back(fmt::format("Every run is free-for-all, changed alike: {}.",
                                      fmt::join(board_.settings, ", ")));
  }
  if (const auto options = shared_options(board_.entries); !options.empty()) {
    table_.head.push_back(fmt::format("Every attention with {}.", fmt::join(options, ", ")));
  }
  const std::string first = day_of(board_.first_started);
  const std::string last = day_of(board_.last_started);
  constexpr std::size_t kNamed = 3;  // programs; more are counted
  table_.head.push_back(fmt::format(
      "Runs of {}, by lra {}.", first == last ? first : fmt::format("{} to {}", first, last),
      board_.programs.size() <= kNamed
          ? fmt::format("{}", fmt::join(board_.programs, ", "))
          : fmt::format("{} and {} other versions", board_.programs.back(),
                        board_.programs.size() - 1)));
}

void TableBuilder::add_legend() {
  auto& legend = table_.legend;
  const auto has = [&](auto predicate) {
    return std::any_of(table_.columns.begin(), table_.columns.end(), predicate);
  };
  legend.emplace_back(table_.seeds
                          ? "Mean ± standard deviation over seeds (number of seeds); — is missing."
                          : "Mean ± standard deviation over seeds; — is missing.");
  for (std::size_t i = 0; i < board_.columns.size(); ++i) {
    if (!has([&](const Column& column) {
          return column.at == i ||
                 (column.kind == Kind::average && board_.column_of(board_.columns[i].task) == i);
        })) {
      continue;
    }
    const BoardColumn& column = board_.columns[i];
    std::string line = fmt::format("{}: {}", column.title, describe_data(column.data));
    if (column.test_count) {
      line += fmt::format("; {} test {}", format_number(static_cast<double>(*column.test_count), 0),
                          column.unit);
    }
    if (!column.deviations.empty()) {
      line += fmt::format("; every run free-for-all: {}", fmt::join(column.deviations, ", "));
    }
    legend.push_back(line + ".");
  }
  if (has([](const Column& c) { return c.kind == Kind::average && c.tasks == 5; })) {
    legend.emplace_back("Average of five tasks: ListOps, Text, Retrieval, Image, Pathfinder.");
  }
  if (has([](const Column& c) { return c.kind == Kind::average && c.tasks == 6; })) {
    legend.emplace_back(
        "Average of six tasks: the five and Path-X; none without a number for each.");
  }
  if (searched_) {
    legend.emplace_back(
        "Searches saw train and validation alone; where none is noted, settings were not "
        "searched for.");
  }
  if (!versus_rows_.empty()) {
    const auto labels = entry_labels(board_.entries);
    std::set<std::string> rows;
    for (const std::size_t row : versus_rows_) rows.insert(labels[row]);
    legend.push_back(
        fmt::format("Difference to baseline: paired over common seeds with the row {}; p of "
                    "Student's paired t test, of a single seed of McNemar's test on the same test "
                    "examples, which knows nothing of the noise between seeds.",
                    fmt::join(rows, "; ")));
  } else if (has([](const Column& c) { return c.kind == Kind::versus; })) {
    legend.push_back(fmt::format("Difference to baseline: there is no row of {} to compare with.",
                                 board_.baseline));
  }
  if (has([](const Column& c) { return c.kind == Kind::interval; })) {
    legend.emplace_back(
        "95 % interval: of one seed Wilson's over test examples, of several Student's t over "
        "seeds.");
  }
  if (delta_) {
    legend.push_back(fmt::format("Δ: difference in points to the same variant in {} ({}).",
                                 delta_->key, delta_->source_line()));
  }
  legend.insert(legend.end(), left_out_.begin(), left_out_.end());
}

}  // namespace lra::results

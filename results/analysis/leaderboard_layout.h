#pragma once
// The layout of a leaderboard: the column of each run is a set of data, its row an attention under
// conditions and settings. Internal to results/analysis.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "results/analysis/leaderboard.h"

namespace lra::results {

using Pointers = std::vector<const Record*>;

// Properties shared by every run of a row; BoardRows handles its changed settings.
inline auto conditions(const Record& record) {
  return std::tuple(record.attention.name, record.attention.options.text, record.preset,
                    record.protocol, record.precision, machine_of(record.environment));
}
using Conditions = decltype(conditions(std::declval<const Record&>()));

// The columns, and the column of each record.
class BoardColumns {
 public:
  explicit BoardColumns(const Pointers& order);

  std::vector<BoardColumn> columns;
  std::map<const Record*, std::size_t> column_of;

 private:
  using Classes = std::map<DataClass, std::int64_t>;  // with the number of their runs

  // Usual data first: comparable ones, then those of most runs.
  static std::vector<DataClass> by_use(const Classes& classes);
  // The column of data for a run whose own data could not be opened; none if no data have its task
  // options.
  static std::optional<DataClass> home_of(const Record& record, const Classes& classes);
  void add_task(const std::string& task, const Classes& classes);
};

// The changed settings that separate rows: those in which runs of equal conditions differ within a
// column.
class BoardRows {
 public:
  BoardRows(const Pointers& order, const std::map<const Record*, std::size_t>& column_of);

  [[nodiscard]] std::vector<std::string> settings_of(const Record& record) const;

 private:
  struct Variant {
    std::map<std::size_t, std::int64_t> runs;  // by column
    // Setting -> column -> value -> runs that state it.
    std::map<std::string, std::map<std::size_t, std::map<std::string, std::int64_t>>> stated;
    std::map<std::string, std::set<std::string>> values;
    std::set<std::string> telling;
    bool verbatim = false;
  };

  [[nodiscard]] std::optional<std::string> standard_of(const Record& record,
                                                       const std::string& key) const;

  const std::map<const Record*, std::size_t>& column_of_;
  std::map<Conditions, Variant> variants_;
  std::map<std::size_t, std::map<std::string, std::string>> standards_;  // by column and key
};

}  // namespace lra::results

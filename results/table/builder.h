#pragma once
// How a leaderboard becomes a Table: the columns, the measured rows, the rows to compare with, and
// the lines above and below them. Internal to results/table.

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "results/table/table.h"

namespace lra::results {

// Builds one table; the files of its parts are named below.
class TableBuilder {
 public:
  TableBuilder(const Leaderboard& board, const TableOptions& options);

  Table build();

 private:
  // build.cpp: footnotes, columns and the order of rows.
  std::size_t note(const std::string& text);
  static void add_mark(std::vector<std::size_t>& marks, std::size_t mark);
  static bool shows_accuracy(const Column& column);
  // Whether all data behind an average are comparable with the literature.
  [[nodiscard]] bool comparable_average(const Column& column) const;
  // The literature's scores get separate columns if ours are on stand-in data. For own data there
  // are none.
  void add_published_columns();
  [[nodiscard]] static bool published_only(const Column& column);
  void mark_column(Column& column);
  // The best of several numbers as shown; none if all are shown equal.
  void mark_best();
  // Throws Error(usage) if --delta gives no cell a difference.
  void require_differences() const;
  // Best first by --sort; rows without a number last; equal ones by label.
  void sort_rows(std::size_t first, std::size_t last);

  // measured_rows.cpp
  void add_entry(const Entry& entry, const std::string& label);
  // Deviations of a cell that are shared neither by its column nor by the whole board.
  [[nodiscard]] std::vector<std::string> own_deviations(std::size_t at, const Cell& cell) const;
  // Those shared by all cells of an entry: as recorded if the texts agree, else in short.
  [[nodiscard]] std::vector<std::string> row_deviations(const Entry& entry) const;
  TableCell entry_cell(const Entry& entry, const Column& column);
  void fill(TableCell& out, const Cell& cell, const Column& column);
  static void add_run(TableCell& out, const RunLine& run);
  TableCell average_cell(const Entry& entry, const Column& column);
  // What distinguishes a cell from the others of its column, in addition to its row.
  std::vector<std::size_t> cell_marks(std::size_t at, const Cell& cell, const Entry& entry);

  // reference_rows.cpp
  void add_baselines();
  // One title for a predictor of several tasks with "the task's rule: ..." for each: the text
  // before the colon.
  static std::string common_title(const std::string& a, const std::string& b);
  void add_published(const Published& published);
  TableRow published_row(const Published& published, const PublishedRow& line) const;

  // legend.cpp
  // "2026-01-31" from a time in UTC.
  static std::string day_of(const std::string& time);
  void add_head();
  void add_legend();

  const Leaderboard& board_;
  const TableOptions& options_;
  Table table_;
  std::string reference_machine_;
  std::optional<Published> delta_;
  bool searched_ = false;              // a cell's settings were chosen by a search
  std::set<std::size_t> versus_rows_;  // entries that the differences are to
  std::vector<std::string> left_out_;
};

// A set of data in words: origin, task version, options, digest.
[[nodiscard]] std::string describe_data(const DataClass& data);

// The metric that the scores of a published table are of.
[[nodiscard]] std::string_view scored_metric(const Published& published);

// The key of a published table as `--with` and `--delta` name it: KEY or published:KEY.
[[nodiscard]] std::string published_key(const std::string& word);

}  // namespace lra::results

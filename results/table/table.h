#pragma once
// Tables for people: a set of records becomes a format-independent Table, and that becomes aligned
// text, Markdown, CSV, LaTeX (booktabs), HTML or JSON. A missing number is "—", never 0; numbers
// that are not comparable with others in their column are marked with a footnote; other data of a
// task have a separate column. A table depends only on the records, not on a clock or a path.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/analysis/leaderboard.h"
#include "results/published/published.h"
#include "results/record/escape.h"
#include "results/record/metrics.h"
#include "results/record/output_formats.h"
#include "results/record/record.h"

namespace lra::results {

// One member per flag of `lra table`.
struct TableOptions {
  TableFormat format = TableFormat::md;
  std::vector<std::string> columns;  // --columns; empty: accuracies and averages, or, for a single
                                     // task, accuracies, speed, memory, parameters, time
  std::string sort;                  // --sort COLUMN, best first; -COLUMN: worst first; empty: name
  std::vector<std::string> with;     // --with published:KEY or a .json file of that schema
  std::string delta;                 // --delta published:KEY: show the difference to its rows
  std::vector<std::string> tasks;    // --tasks; empty: all
  std::vector<std::string> attentions;  // --attention; empty: all
  std::string division;  // --division apples-to-apples|free-for-all; empty: both, marked
  std::string baseline = "softmax";  // --baseline: the attention that `versus` compares with
  bool ladder = true;                // --no-ladder: without rows of trivial predictors
  std::string caption;               // --caption
  std::string label = "tab:lra";     // --label: of LaTeX's \ref
  bool seeds = true;                 // --no-seeds: without the numbers of seeds
  bool bold = false;                 // --bold: the best measured number of each column
};

// Column words, as `--columns` takes them: a task (its test accuracy, a column for each of its
// data; TASK@DIGEST for one of them), METRIC or METRIC:TASK (see
// metrics.h; without a task, one column for each), avg5, avg6, versus[:TASK], interval[:TASK],
// agreement:BASELINE[:TASK], seeds[:TASK], data[:TASK], verdict[:TASK], preset, protocol,
// precision, machine.
struct Column {
  enum class Kind {
    metric,
    average,
    versus,
    interval,
    agreement,
    seeds,
    data,
    verdict,
    entry_text
  };
  std::string id;  // canonical word, e.g. "accuracy:listops"
  Kind kind = Kind::metric;
  std::string title;
  std::string unit;
  Better better = Better::neither;
  const Metric* metric = nullptr;
  // Index into Leaderboard::columns, of metric, versus, interval, agreement, seeds, data, verdict.
  std::optional<std::size_t> at;
  std::string task;                     // of the literature's scores to show here; empty: none
  std::string name;                     // of agreement: the baseline; of entry_text: which
  std::size_t tasks = 0;                // of average: 5 or 6
  std::vector<std::size_t> marks = {};  // indices into Table::notes
  [[nodiscard]] bool is_text() const;   // contains words, not numbers
};

struct TableCell {
  Real value;  // in the column's unit
  Real sd;
  std::int64_t n = 0;              // seeds; 0: not a mean
  int decimals = 2;                // -1: three significant digits
  bool sign = false;               // show a plus sign
  Real delta;                      // to the literature
  std::string text;                // shown if there is no value; empty: missing
  std::string suffix;              // shown after the value
  bool best = false;               // under TableOptions::bold
  std::vector<std::string> runs;   // ids of the runs behind it
  std::string anchor;              // of the first one, in a page
  std::vector<std::size_t> marks;  // indices into Table::notes
};

struct TableRow {
  enum class Kind { measured, baseline, published };
  Kind kind = Kind::measured;
  std::string label;
  std::string cite;  // BibTeX key, of published rows
  std::vector<std::size_t> marks;
  std::vector<TableCell> cells;  // one a column
};

struct Table {
  std::string caption;
  std::string label;              // LaTeX
  std::vector<std::string> head;  // what all runs share: conditions, machine, program, dates
  std::vector<Column> columns;
  std::vector<TableRow> rows;       // measured, then baselines, then published
  std::vector<std::string> notes;   // footnotes, in order of first use
  std::vector<std::string> legend;  // what holds for the whole table
  std::vector<std::string> bibtex;  // entries of what is cited
  bool seeds = true;                // numbers of seeds are shown
};

// Throws Error(usage) for an unknown column, task, attention, division or published key, with near
// matches, and for a published table that has nothing for these columns, or to show a difference
// to; Error(data) if no record is left.
[[nodiscard]] Table build_table(const std::vector<Record>& records, const TableOptions& options);

// The same from a leaderboard; the filters (tasks, attentions, division, baseline) are ignored.
[[nodiscard]] Table build_table(const Leaderboard& board, const TableOptions& options);

// Throws Error(usage) for `leaderboard`, which is not a format of a Table.
[[nodiscard]] std::string format_table(const Table& table, TableFormat format);

// build_table and format_table combined: the work of `lra table`. The format "leaderboard" gives
// leaderboard.json of the filtered records.
[[nodiscard]] std::string render_table(const std::vector<Record>& records,
                                       const TableOptions& options);

// The following parts are shared with the report.

// The records that pass the filters. Throws as build_table().
[[nodiscard]] std::vector<Record> select_records(const std::vector<Record>& records,
                                                 const TableOptions& options);

// The columns of a leaderboard for these words; empty words give the default.
[[nodiscard]] std::vector<Column> select_columns(const Leaderboard& board,
                                                 const std::vector<std::string>& words);
// "causal=true": changed options shared by all entries of several attentions.
[[nodiscard]] std::vector<std::string> shared_options(const std::vector<Entry>& entries);
// A label for each entry: the attention with its changed options (except shared_options), and
// further distinguishing properties (options, changed settings, preset, precision).
[[nodiscard]] std::vector<std::string> entry_labels(const std::vector<Entry>& entries);

// The place of a run in a page with several tables. A run's id is that of its specification: on
// other data it is another run.
[[nodiscard]] std::string run_anchor(std::string_view id,
                                     const std::optional<std::string>& data_sha256);

// The table element with its footnotes; a number's cell carries it as data-value, for sorting. With
// `links`, a number leads to the anchor of its first run.
[[nodiscard]] std::string html_table(const Table& table, bool links = false);

// A number as tables show it: fixed decimals or three significant digits, digits grouped by commas.
[[nodiscard]] std::string format_number(double value, int decimals, bool sign = false);
// The same with the digits of `reference`, for a deviation next to its mean.
[[nodiscard]] std::string format_number_like(double value, double reference, int decimals,
                                             bool sign = false);

// "p = 0.042", or "p < 0.001" where three decimals would show none.
[[nodiscard]] std::string format_p(double p);

// Mark 0 is "a", 25 "z", 26 "aa".
[[nodiscard]] std::string mark_letter(std::size_t index);

}  // namespace lra::results

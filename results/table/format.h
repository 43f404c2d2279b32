#pragma once
// The formats of a table with a file of their own, and the texts that all formats share. Internal
// to results/table.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "results/table/table.h"

namespace lra::results {

[[nodiscard]] std::string plain_text(const Table& table);  // for a terminal
[[nodiscard]] std::string latex(const Table& table);
[[nodiscard]] std::string html(const Table& table);  // a page with the table alone

[[nodiscard]] std::string_view kind_name(TableRow::Kind kind);

// "36.37 ± 0.80": the number alone, or the cell's text, or a dash.
[[nodiscard]] std::string number_text(const TableCell& cell);

// "36.37 ± 0.80 (3), p = 0.042 Δ +0.63": everything in one.
[[nodiscard]] std::string cell_text(const TableCell& cell, bool seeds);

// All digits, for programs.
[[nodiscard]] std::string raw_number(double value);

// "a,b": the letters of footnotes.
[[nodiscard]] std::string letters(const std::vector<std::size_t>& marks);

// Title, direction and unit of a column.
[[nodiscard]] std::string heading(const Column& column);

// Whether to draw a rule above this row, where the kind of row changes.
[[nodiscard]] bool begins_group(const Table& table, std::size_t row);

// Maximum width of a line of row names, which leaves room for the numbers.
inline constexpr std::size_t kLabelWidth = 36;

// The lines of a text that is broken at its spaces; at least one. Further lines begin with `indent`
// spaces.
[[nodiscard]] std::vector<std::string> lines_of(const std::string& text, std::size_t width,
                                                std::size_t indent);

}  // namespace lra::results

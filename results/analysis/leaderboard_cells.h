#pragma once
// The cells of a leaderboard: statistics of the runs of one row in one column, and the paired
// comparison with the baseline's cell. Internal to results/analysis.

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "results/analysis/leaderboard_layout.h"

namespace lra::results {

using CellRuns = std::map<std::size_t, Pointers>;  // by column

// Inserts a value into a sorted list, unless the list contains it.
void add_unique(std::vector<std::string>& list, const std::string& value);

// The cell of at least one run; the first completed one sets the unit and test count of the column.
[[nodiscard]] Cell build_cell(const Pointers& runs, BoardColumn& column);

// Compares each cell with the baseline's cell in its column under the same conditions.
void compare_with_baseline(Leaderboard& board, const std::vector<CellRuns>& runs);

}  // namespace lra::results

#pragma once
// The sections of the report's page as HTML: tables of the measured results, and of the runs and
// machines behind them. Results that no run, bench or study has give an empty text.

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "results/analysis/leaderboard.h"
#include "results/record/record.h"
#include "results/record/study_record.h"
#include "results/report/report.h"

namespace lra::results {

// The leaderboard of the records, whose board is `board`; differences to its baseline where it has
// some; speed, memory and time if there are several tasks.
[[nodiscard]] std::string leaderboard_html(const std::vector<Record>& records,
                                           const Leaderboard& board, const ReportOptions& options);

// Measures of the attention, for runs that have them.
[[nodiscard]] std::string attention_html(const std::vector<Record>& records,
                                         const ReportOptions& options);

// Trivial predictors, and how often each model agrees with them.
[[nodiscard]] std::string ladder_html(const Leaderboard& board);

// The fitted exponents of time and memory, from the `scaling` of report_data().
[[nodiscard]] std::string scaling_html(const nlohmann::json& groups);

// One table per study: kernels as rows, values of the swept setting as columns.
[[nodiscard]] std::string studies_html(const std::vector<StudyRecord>& studies);

// Every run, with a link to its folder from `folder`, that of the page; empty: the current one.
[[nodiscard]] std::string runs_html(std::vector<Record> records,
                                    const std::filesystem::path& folder);

// The machines and programs of the runs.
[[nodiscard]] std::string environment_html(const std::vector<Record>& records);

}  // namespace lra::results

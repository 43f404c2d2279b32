#pragma once
// The formats of printed results: the values of --format.

#include "engine/base/enum_text.h"

namespace lra::results {

// Formats of `lra table`. `leaderboard` is JSON of every cell with its runs, written from the
// records.
enum class TableFormat { text, md, csv, tex, html, json, leaderboard };
constexpr auto texts(TableFormat) {
  return enum_texts("text", "md", "csv", "tex", "html", "json", "leaderboard");
}

// Formats of `lra compare` and `lra study ablation`.
enum class SummaryFormat { md, json };
constexpr auto texts(SummaryFormat) { return enum_texts("md", "json"); }

}  // namespace lra::results

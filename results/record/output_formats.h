#pragma once
// The formats in which results are printed: the words of --format.

#include "engine/base/enum_text.h"

namespace lra::results {

// Of `lra table`. `leaderboard` is JSON of every cell with its runs, made of records and not of a
// table.
enum class TableFormat { text, md, csv, tex, html, json, leaderboard };
constexpr auto texts(TableFormat) {
  return enum_texts("text", "md", "csv", "tex", "html", "json", "leaderboard");
}

// Of `lra compare` and `lra study ablation`.
enum class SummaryFormat { md, json };
constexpr auto texts(SummaryFormat) { return enum_texts("md", "json"); }

}  // namespace lra::results

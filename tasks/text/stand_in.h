#pragma once
// Stand-in reviews, for machines without the real ones.
//
// Construction: a text is prose of artificial words, of log-normal length (median 1,000 bytes,
// 200 to 6,000), like film reviews. One word in six carries a sentiment: 40 words are praise, built
// of six separate syllables, 40 are blame, of six others; in a text one kind makes up 65 to 90
// percent of them. The label is the kind that occurs more often. Counting the two kinds scores 100
// %, always answering one label 50 %; the first few words alone give about 80 %.

#include <array>
#include <cstdint>
#include <vector>

#include "tasks/task.h"
#include "tasks/text/reviews.h"

namespace lra::tasks::text {

inline constexpr int kStandInVersion = 1;
inline constexpr std::array<std::int64_t, 3> kStandInCounts{8000, 1000, 2000};

// Review i of a split, determined by seed, split and i.
[[nodiscard]] Review stand_in_review(std::uint64_t seed, Split split, std::uint64_t index);

}  // namespace lra::tasks::text

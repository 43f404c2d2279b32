#pragma once
// Stand-in document pairs, for machines without the real ones.
//
// Construction: a document is prose of artificial words, 4,000 to 6,000 bytes, on one of eight
// subjects. Seven words in ten are the same in all documents, three belong to the subject: 40 words
// built of five syllables that only this subject has. A pair is labelled 1 if both documents are on
// one subject, 0 if not; both are equally likely and any two subjects may be paired. Each split has
// a separate pool with a quarter as many documents as pairs (at least 64), so that a document is in
// several pairs. Recognising the subjects scores 100 %, always answering one label 50 %, and a
// single document is uninformative.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks::retrieval {

inline constexpr int kStandInVersion = 1;
inline constexpr std::array<std::int64_t, 3> kStandInCounts{4000, 500, 1000};

struct StandInSplit {
  std::vector<std::string> documents;
  struct Pair {
    std::uint32_t first = 0, second = 0;
    std::int32_t label = 0;
  };
  std::vector<Pair> pairs;
};

// A pure function of its arguments, computed in parallel.
[[nodiscard]] StandInSplit stand_in_split(std::uint64_t seed, Split split, std::int64_t pairs);

}  // namespace lra::tasks::retrieval

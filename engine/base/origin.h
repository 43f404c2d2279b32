#pragma once
// Origin of data, which decides whether a result is comparable with the literature.

#include "engine/base/enum_text.h"

namespace lra {

// Official: the benchmark's own data. Generated: made by the benchmark's official algorithm.
// Official cut: the first examples of the official data. Stand-in: everything else, such as
// pseudo-text, or other data in the official format. Own: a user's data set, not a task of the
// benchmark. The last three are not comparable with the literature.
enum class Origin { official, generated, official_cut, stand_in, own };

constexpr auto texts(Origin) {
  return enum_texts("official", "generated", "official-cut", "stand-in", "own");
}

// True for official and generated data.
[[nodiscard]] constexpr bool is_comparable(Origin origin) {
  return origin == Origin::official || origin == Origin::generated;
}

}  // namespace lra

#pragma once
// The output that a task requires of a model.

#include "engine/base/enum_text.h"

namespace lra {

// A class of a sequence, from its pooled rows; of a pair of sequences; of each token.
enum class Head { pooled_class, pair_class, token };
constexpr auto texts(Head) { return enum_texts("pooled_class", "pair_class", "token"); }

}  // namespace lra

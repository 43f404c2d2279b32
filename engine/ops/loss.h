#pragma once
// The training loss.

#include <span>

#include "engine/tape/tape.h"

namespace lra::engine {

// Sum over rows of -log softmax(logits)[label], times `scale`. logits [B, K] f32; a label of
// `ignored` leaves its row out. -> [1]. A label outside 0..K-1 is Error(shape).
inline constexpr std::int32_t kIgnoredLabel = -100;
[[nodiscard]] Value cross_entropy(const Value& logits, std::span<const std::int32_t> labels,
                                  float scale);

}  // namespace lra::engine

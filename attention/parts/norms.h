#pragma once
// Norms of a token's features across all heads, as if the heads were merged.

#include "engine/base/enum_text.h"
#include "engine/tape/tape.h"

namespace lra::attention {

// An option of variants that norm their output.
enum class OutputNorm { rms, none };
constexpr auto texts(OutputNorm) { return enum_texts("rms", "none"); }

// sum over heads and features of x^2: x [H, N, D] -> [H, N, 1] in f32, equal in all heads.
[[nodiscard]] engine::Value squares_over_heads(const engine::Value& x);
// x / (rms + eps), rms the root mean square over the features of all heads.
[[nodiscard]] engine::Value rms_norm_over_heads(const engine::Value& x, float eps);
// x / sqrt(mean over the features of the head of x^2 + eps): a group norm with one group per head,
// without mean and gain.
[[nodiscard]] engine::Value head_norm(const engine::Value& x, float eps);

}  // namespace lra::attention

#pragma once
// Layout operations, which change shapes and positions but no values. reshape and split share
// storage.

#include <initializer_list>
#include <vector>

#include "engine/tape/tape.h"

namespace lra::engine {

[[nodiscard]] Value reshape(const Value& x, const Shape& shape);
// Axis i of the result is axis axes[i] of x; each axis occurs once.
[[nodiscard]] Value permute(const Value& x, std::initializer_list<int> axes);
// Exchanges the last two axes.
[[nodiscard]] Value transpose(const Value& x);
// Repeats axes of size 1 (and missing leading ones).
[[nodiscard]] Value expand(const Value& x, const Shape& shape);
[[nodiscard]] Tensor expand_tensor(const Tensor& x, const Shape& shape);
[[nodiscard]] Value concat(const std::vector<Value>& parts, int axis);
// `count` entries from `begin` along an axis.
[[nodiscard]] Value slice(const Value& x, int axis, std::int64_t begin, std::int64_t count);
// Equal parts of the first axis, without copying values or gradients.
[[nodiscard]] std::vector<Value> split(const Value& x, std::int64_t parts);
// Zeros before and after along an axis.
[[nodiscard]] Value pad(const Value& x, int axis, std::int64_t before, std::int64_t after);
// Zeroes rows n..N-1 of x [..., N, C], to remove padded keys.
[[nodiscard]] Value mask_rows(const Value& x, std::int64_t n);
// y [G, N, 2 D] with y[g, i, :] = [a_i x[g, i, :], b_i x[g, i, :]]; a and b [N] f32 constants.
[[nodiscard]] Value scale_rows_twice(const Value& x, const Tensor& a, const Tensor& b);
// y [n, P H dh] -> P values [H, n, dh]: the heads of P projections that were computed together.
[[nodiscard]] std::vector<Value> split_heads(const Value& y, std::int64_t parts,
                                             std::int64_t heads);
// [H, n, dh] -> [n, H dh].
[[nodiscard]] Value merge_heads(const Value& x);

}  // namespace lra::engine

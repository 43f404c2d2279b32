#pragma once
// Rows by index: embedding, gather, scatter, permutation by sorted order.

#include <span>

#include "engine/tape/tape.h"

namespace lra::engine {

// table[ids] + positions[0..n-1], and zero rows from n to `rows`. table [V, E] and positions
// [>= n, E] (undefined: none) are f32; the result [rows, E] has `dtype`. An id outside the table or
// more ids than positions is Error(shape).
[[nodiscard]] Value embedding(const Value& table, const Value& positions,
                              std::span<const std::int32_t> ids, std::int64_t rows, DType dtype);

// y[i] = x[index[i]] over the rows of x [R, C]; index < 0 gives zeros. The gradient is summed where
// an index repeats.
[[nodiscard]] Value gather_rows(const Value& x, const Tensor& index);
// y [rows, C] with y[index[i]] += x[i]; index < 0 is dropped.
[[nodiscard]] Value scatter_add_rows(const Value& x, const Tensor& index, std::int64_t rows);

}  // namespace lra::engine

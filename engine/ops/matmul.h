#pragma once
// Products.

#include "engine/tape/tape.h"

namespace lra::engine {

struct MatmulOptions {
  bool transpose_a = false;
  bool transpose_b = false;
  bool f32_result = false;  // else of the operands' type; sums are f32 always
};

// op(a) op(b): a [..., m, k], b [..., k, n] -> [..., m, n], with op the transposition of the last
// two axes where asked. Batch axes are equal or 1 (broadcast); ranks are equal. Throws
// Error(shape).
[[nodiscard]] Value matmul(const Value& a, const Value& b, const MatmulOptions& options = {});

struct LinearOptions {
  bool relu = false;                // y = relu(x w + bias)
  const Value* residual = nullptr;  // y = residual + x w + bias, residual of y's shape
};

// y = x w + bias. x [..., D], w [D, F], bias [F] or undefined -> [..., F]. Bias, activation and
// residual are part of the product's last pass. Both options at once are an Error(shape).
[[nodiscard]] Value linear(const Value& x, const Value& w, const Value& bias,
                           const LinearOptions& options = {});

}  // namespace lra::engine

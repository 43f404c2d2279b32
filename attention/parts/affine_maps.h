#pragma once
// Affine maps with weights [out, in], as in PyTorch's Linear, for mixers with their own
// projections.

#include <string>

#include "attention/attention.h"

namespace lra::attention {

// y = x W^T + b.
struct AffineMap {
  Parameter W, b;  // [out, in], [out]
  [[nodiscard]] Value operator()(const Value& x) const;
  // Only outputs begin..begin+count-1: one of several maps stored as one parameter.
  [[nodiscard]] Value part(const Value& x, std::int64_t begin, std::int64_t count) const;
};

// y = x W^T, without a bias: W [out, in].
[[nodiscard]] Value map_rows(const Value& x, const Parameter& W);
[[nodiscard]] Plain plain_map(const Plain& x, const Plain& W);

// Parameters W<name> and b<name>; b is 0 at first.
[[nodiscard]] AffineMap add_affine_map(const ParameterBuilder& p, const std::string& name,
                                       std::int64_t in, std::int64_t out,
                                       engine::Initialiser weights);
// The same of plain rows x [n, in].
[[nodiscard]] Plain plain_affine_map(const PlainInputs& in, const std::string& name,
                                     const Plain& x);

}  // namespace lra::attention

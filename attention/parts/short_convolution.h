#pragma once
// The depthwise convolution with a few taps, up to the token itself, before the scan of recent
// state spaces and the long convolution of Hyena.

#include "attention/attention.h"

namespace lra::attention {

// y_t = bias + sum_k w_k x_(t - taps + 1 + k) for each channel, zeros before the first token.
class ShortConvolution {
 public:
  // Parameters conv_w [channels, taps] and conv_b [channels], initialised as in PyTorch's Conv1d.
  void build(const ParameterBuilder& p, std::int64_t channels, std::int64_t taps);
  // x [N, channels], of which the first n rows are real -> the same shape.
  [[nodiscard]] Value operator()(const Value& x, std::int64_t n) const;
  [[nodiscard]] static Plain define(const PlainInputs& in, const Plain& x);

 private:
  Parameter w_, b_;
};

// silu of every entry, for definitions.
[[nodiscard]] Plain plain_silus(Plain x);

}  // namespace lra::attention

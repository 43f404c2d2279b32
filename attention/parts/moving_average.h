#pragma once
// The multi-dimensional damped moving average of Mega (Ma et al. 2022, arXiv 2209.10655, section
// 3.1), in one or both directions, with its activation:
//   p = sigmoid(delta), a = 1 - p sigmoid(alpha)                h states per feature and direction
//   s_t = a s_(t-1) + p beta x_t,  y_t = sum_h gamma s_t / sqrt(h),  out = silu(y + omega x)
// Token t counts in both directions, which have separate parameters. An exact recurrence, whereas
// the authors convolve by FFT and truncate the kernel for some tasks.

#include <string>

#include "attention/attention.h"

namespace lra::attention {

class MovingAverage {
 public:
  // The option `ndim`, h.
  void options(OptionTable& table);
  // Parameters delta, alpha, beta, gamma [2 E, h] (forward, backward; [E, h] without the backward
  // direction) and omega [E], named with the prefix.
  void build(const ParameterBuilder& p, const std::string& prefix, std::int64_t width,
             bool bidirectional);
  // x [N, E] of which the first n rows enter -> [N, E].
  [[nodiscard]] Value operator()(const Value& x, std::int64_t n) const;
  [[nodiscard]] Plain define(const PlainInputs& in, const Plain& x) const;

 private:
  std::int64_t h_ = 16;
  std::string prefix_;
  bool bidirectional_ = true;
  Parameter delta_, alpha_, beta_, gamma_, omega_;
};

}  // namespace lra::attention

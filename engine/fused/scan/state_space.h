#pragma once
// Linear recurrences with a diagonal transition and separate states for every feature.

#include "engine/tape/tape.h"

namespace lra::engine {

struct StateSpaceOptions {
  std::int64_t length = 0;  // n: the rows that enter
  bool reverse = false;     // from row n-1 to row 0
  bool exclusive = false;   // y_t is read before x_t enters the state
};

// h_t = a h_(t-1) + x_t,  y_t = Re(sum_s c_s h_(s,t)) with S states per feature, h = 0 at the
// start: y is the convolution of x with the kernel K_t = Re(sum_s c_s a_s^t), from lag 1 if
// exclusive. x [N, E]; a, c [P, E, S] in f32: real parts (P = 1), or real and imaginary parts (P =
// 2). Gives [N, E] of x's type; states and sums in f32. Rows from n on are 0. Throws Error(shape).
//
// A hand-written loop over time with 16 features side by side and the states in registers: oneDNN
// has no such recurrence, and computing a kernel for a product or an FFT would cost as many steps.
// No state is kept for the backward: dx is the same recurrence over dy in the opposite direction,
// and the gradients of a and c are summed in one further pass from d_t = a d_(t-1) + h_(t-1), the
// derivative of h_t by a:
//   dc = sum_t dy_t conj(h_t),  da = conj(c) sum_t dy_t conj(d_t).
[[nodiscard]] Value state_space(const Value& x, const Value& a, const Value& c,
                                const StateSpaceOptions& options);

}  // namespace lra::engine

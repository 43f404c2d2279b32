#pragma once
// Attention weights as functions of a row of logits, with their derivatives: the element-wise part
// of row_attention. Hand-written loops, because oneDNN has no erf, no projection onto the simplex
// and no power that keeps the sign, and because one pass over logits in cache replaces several.

#include <cstdint>

namespace lra::engine {

enum class RowRule {
  power,      // s^degree, degree in 1..15
  relu,       // max(s, 0)
  relu2,      // max(s, 0)^2
  sigmoid,    // 1 / (1 + e^-s)
  laplace,    // (1 + erf((s - sqrt(1/2)) / (sqrt(2) / sqrt(4 pi)))) / 2: Phi with that mean, width
  exp,        // e^min(s, 0), for logits that are at most 0 up to rounding; the slope at 0 is 1
  softmax,    // e^s / sum e^s
  sparsemax,  // the nearest point of the simplex, max(s - tau, 0) (Martins, Astudillo 2016)
  entmax15,   // max(s / 2 - tau, 0)^2 with a sum of 1 (Peters, Niculae, Martins 2019)
  softpick,   // max(e^s - 1, 0) / (sum |e^s - 1| + 1e-8 e^max(s)) (Zuhri et al. 2025)
};

struct RowWeights {
  RowRule rule = RowRule::softmax;
  unsigned degree = 1;  // of power
  float factor = 1;     // multiplies the weight
};

namespace kernels {

// s[0..n-1]: logits -> weights. Rules that need the whole row store its parameters in `state`
// (softmax: the log of the sum, rounded to f32; sparsemax: tau; entmax15: tau less half of the
// largest logit; softpick: the denominator, divided by e^max(0, max s)).
void row_weights(const RowWeights& w, float* s, std::int64_t n, float& state);
// s: logits -> weights; dw: gradient of the weights -> gradient of the logits. `state` is the
// output of row_weights.
void row_weights_backward(const RowWeights& w, float* s, float* dw, std::int64_t n, float state);

}  // namespace kernels
}  // namespace lra::engine

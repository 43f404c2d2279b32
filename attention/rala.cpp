// Rank-augmented linear attention. Fan, Huang, He 2024, "Breaking the Low-Rank Dilemma of Linear
// Attention", arXiv 2411.07635; equations from the authors' RALA code.
//   alpha_j = n softmax_j(D^-1/2 qbar.phi(k_j)),  qbar = mean_i phi(q_i),  phi = elu + 1
//   w_ij = phi(q_i).alpha_j phi(k_j) / (phi(q_i).sum_j alpha_j phi(k_j) + n eps)
// Keys that the queries select on average have larger weights, which raises the rank of the state.
// Time O(N D^2), state O(D^2) per head. The published blocks also turn queries and weighed keys by
// rotary positions in the numerator (`rotary`; theirs are of rows and columns, these of the
// sequence), add a convolution of v (`local`: 5 x 5 as published or 5 tokens) and multiply by an
// affine map of the input (`gate`): all off here, for comparison.

#include <cmath>

#include "attention/attention.h"
#include "attention/parts/depthwise.h"
#include "attention/parts/masks.h"
#include "attention/parts/positions.h"

namespace lra::attention {
namespace {

double phi(double x) { return x > 0 ? x + 1 : std::exp(x); }

class Rala final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.number("eps", eps_, 0, 1, "times the number of keys, added to the denominator");
    rotary_.options(t, "rotary positions in the numerator");
    local_.options(t);
    gate_.options(t);
  }

  void build(const ParameterBuilder& p, const Dimensions& d) override {
    local_.build(p, d, "attention/rala");
    gate_.build(p, d);
    rotary_.build(d);
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const auto n = static_cast<float>(x.key_length);
    const float s = 1 / std::sqrt(static_cast<float>(x.q.dim(2)));
    const Value q = elu_plus_one(x.q);  // [H,N,D]
    const Value k = elu_plus_one(x.k);  // [H,M,D]
    const Value qbar = sum(mask_rows(q, x.length), 1) * (s / static_cast<float>(x.length));
    const Value logits = matmul(qbar, k, {.transpose_b = true, .f32_result = true});  // [H,1,M]
    const Tensor real = admissible(1, k.dim(1), x.key_length, false);
    const Value alpha = masked_softmax(logits, real) * n;                   // [H,1,M]
    const Value K = k * reshape(alpha, {k.dim(0), k.dim(1), 1});            // padded: 0
    const Value S = matmul(rotary_.turned(K), x.v, {.transpose_a = true});  // [H,D,Dv]
    const Value denominator =
        matmul(q, sum(K, 1), {.transpose_b = true, .f32_result = true});  // [H,N,1]
    const Value o = matmul(rotary_.turned(q), S) / (denominator + static_cast<float>(eps_) * n);
    return gate_.apply(local_.add(o, x), x);
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override;

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    Plain o = weighted_sum(weights(in), in.v);
    local_.add(o, in);
    gate_.apply(o, in);
    return o;
  }

 private:
  double eps_ = 1e-6;
  OptionalRotary rotary_;
  LocalMixing local_{Neighbours::none, LocalMixing::Kernels::of_model};
  LinearGate gate_{false};
};

Weights Rala::weights(const PlainInputs& in) const {
  const Plain q = mapped(in.q, phi);
  Plain k = mapped(in.k, phi);
  const auto n = static_cast<double>(k.dim(1));
  const double scale =
      1 / (std::sqrt(static_cast<double>(q.dim(2))) * static_cast<double>(q.dim(1)));
  for (std::int64_t h = 0; h < k.dim(0); ++h) {
    const std::vector<double> alpha = plain_softmax(each_key(k.dim(1), [&](std::int64_t j) {
      double logit = 0;
      for (std::int64_t i = 0; i < q.dim(1); ++i) logit += scale * dot(q, k, h, i, j);
      return logit;
    }));
    for (std::int64_t j = 0; j < k.dim(1); ++j) {
      for (std::int64_t d = 0; d < k.dim(2); ++d) {
        k(h, j, d) *= n * alpha[static_cast<std::size_t>(j)];
      }
    }
  }
  const auto row = [this](const Plain& a, const Plain& b, std::int64_t h, std::int64_t i) {
    double sum = eps_ * static_cast<double>(b.dim(1));
    for (std::int64_t j = 0; j < b.dim(1); ++j) sum += dot(a, b, h, i, j);
    return Row{
        each_key(b.dim(1), [&](std::int64_t j) { return rotary_.product(a, b, h, i, j) / sum; })};
  };
  return {q, k, row, true, !local_.on() && !gate_.on()};
}

LRA_ATTENTION(rala, Rala,
              {.label = "RALA",
               .cite = "Fan2024, arXiv 2411.07635",
               .cross = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention

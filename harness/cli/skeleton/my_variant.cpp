// my_variant: authors, year, arXiv number, and its equations, such as
//   o_i = sum_j phi(q_i).phi(k_j) v_j / (sum_j phi(q_i).phi(k_j) + eps),  phi(x) = elu(x) + 1
// Time O(N D Dv), state O(D Dv) per head. Say here what is yours rather than the paper's.
//
// It starts as linear attention, complete and correct; change phi or everything below. Shapes: H
// heads, N rows of the queries, M of the keys, D the width of q and k, Dv that of v.

#include <cmath>

#include "attention/attention.h"
#include "attention/parts/kernel_attention.h"

namespace {

using namespace lra::attention;

double phi(double x) { return x > 0 ? x + 1 : std::exp(x); }

class MyVariantAttention final : public Attention {
 public:
  // The options of `--set attention.NAME=VALUE`: name, member, range, meaning. Other names and
  // values outside of the range are refused. Parameters that are trained are added in build().
  void options(lra::OptionTable& t) override {
    t.number("eps", eps_, 0, 1, "added to the denominator");
  }

  // One sequence, from differentiable operations (engine/ops): the tape brings the gradients.
  // Rows of k and v from x.key_length on are padding and must have weight 0, whatever they contain.
  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const Value q = elu_plus_one(x.q);                           // [H,N,D]
    const Value k = mask_rows(elu_plus_one(x.k), x.key_length);  // [H,M,D]   padded keys: 0
    const KernelSums sums = kernel_sums(q, k, x.v, false);       // [H,N,Dv], [H,N,1]
    return sums.numerator / (sums.denominator + static_cast<float>(eps_));  // [H,N,Dv]
  }

  // The same from the formula in the first lines, row by row in double precision and only for the
  // real rows: the reference for forward() and its gradients, and the weights that `lra diagnose`
  // measures. Write it from the formula, not from the code above. If the output is more than a
  // matrix of weights times v, compute it in define() instead (attention/attention.h).
  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const auto row = [this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return over_sum(each_key(k.dim(1), [&](std::int64_t j) { return dot(q, k, h, i, j); }), eps_);
    };
    return {mapped(in.q, phi), mapped(in.k, phi), row, true};
  }

 private:
  double eps_ = 1e-6;
};

// The properties for tables and checks: `struct Traits` in attention/attention.h lists all of them
// (growth in time and memory, causal, stochastic, ...).
LRA_ATTENTION(my_variant, MyVariantAttention,
              {.label = "my_variant",
               .cite = "unpublished",
               .time = Growth::linear,
               .memory = Growth::linear,
               .cross = true,
               .permutation_equivariant = true});

}  // namespace

// Linear attention with the feature map phi(x) = relu(x)^2, an example of a user-defined variant:
//   o_i = sum_j phi(q_i).phi(k_j) v_j / (sum_j phi(q_i).phi(k_j) + eps)
// Time O(N D^2), state O(D^2) per head. The structure is that of Katharopoulos et al. 2020, arXiv
// 2006.16236, eq. (5); a padded key weighs 0.

#include "attention/attention.h"
#include "attention/parts/kernel_attention.h"

namespace {

using namespace lra::attention;

double phi(double x) { return x > 0 ? x * x : 0; }

class SquaredRelu final : public Attention {
 public:
  void options(lra::OptionTable& t) override {
    t.number("eps", eps_, 0, 1, "added to the denominator");
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const Value q = square(relu(x.q));                           // [H,N,D]
    const Value k = mask_rows(square(relu(x.k)), x.key_length);  // [H,M,D]   padded keys: 0
    const KernelSums sums = kernel_sums(q, k, x.v, false);
    return sums.numerator / (sums.denominator + static_cast<float>(eps_));  // [H,N,Dv]
  }

  // The same from the formula, row by row in double precision: the reference for forward().
  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const auto row = [this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return over_sum(each_key(k.dim(1), [&](std::int64_t j) { return dot(q, k, h, i, j); }), eps_);
    };
    return {mapped(in.q, phi), mapped(in.k, phi), row, true};
  }

 private:
  double eps_ = 1e-6;
};

LRA_ATTENTION(squared_relu, SquaredRelu,
              {.label = "Squared ReLU",
               .cite = "an example",
               .cross = true,
               .permutation_equivariant = true});

}  // namespace

// Linear attention with the feature map phi(x) = relu(x)^2, an example of a variant of one's own:
//   o_i = sum_j phi(q_i).phi(k_j) v_j / (sum_j phi(q_i).phi(k_j) + eps)
// Time O(N D^2), state O(D^2) a head. The structure is that of Katharopoulos et al. 2020, arXiv
// 2006.16236, eq. (5); a padded key weighs 0.

#include <cmath>

#include "attention/attention.h"
#include "attention/kernel_attention.h"

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

  // The same from the formula, in double precision: what forward() is checked against.
  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    Plain o({in.q.dim(0), in.q.dim(1), in.v.dim(2)});
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      for (std::int64_t i = 0; i < o.dim(1); ++i) {
        std::vector<double> w(static_cast<std::size_t>(in.k.dim(1)), 0.0);
        double sum = eps_;
        for (std::int64_t j = 0; j < in.k.dim(1); ++j) {
          for (std::int64_t c = 0; c < in.q.dim(2); ++c) {
            w[static_cast<std::size_t>(j)] += phi(in.q(h, i, c)) * phi(in.k(h, j, c));
          }
          sum += w[static_cast<std::size_t>(j)];
        }
        for (std::int64_t j = 0; j < in.k.dim(1); ++j) {
          add_scaled(o, h, i, w[static_cast<std::size_t>(j)] / sum, in.v, j);
        }
      }
    }
    return o;
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

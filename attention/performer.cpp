// Performer, FAVOR+. Choromanski, Likhosherstov, Dohan, Song, Gane, Sarlos, Hawkins, Davis,
// Mohiuddin, Kaiser, Belanger, Colwell, Weller 2020, "Rethinking Attention with Performers",
// arXiv 2009.14794, eq. (4)-(8) and appendix B.
// Linear attention with M random features whose kernel is, in expectation, the softmax kernel
// exp(q.k / sqrt(D)); or with the generalised ReLU kernel. Time O(N M D), state O(M D) per head.
// x~ = x D^-1/4. Softmax kernel: x' = exp(P x~ - |x~|^2 / 2 - stabiliser) + eps, where the
// stabiliser is the row's maximum for queries, that of all real keys for keys; it carries no
// gradient and cancels up to eps. ReLU kernel: x' = relu(P x~) + eps, or relu(x) + eps without a
// projection, which is what LRA's configurations run. The factor M^-1/2 cancels and is left out.
// Padded keys weigh 0 (published codes keep them in the denominator). Ours: `redraw` counts
// training steps; in the causal form the keys' eps is e^-stabiliser eps, so that their common
// stabiliser, which depends on all keys, cancels exactly and reveals nothing about later tokens.

#include <cmath>

#include "attention/attention.h"
#include "attention/parts/kernel_attention.h"
#include "attention/parts/projections.h"

namespace lra::attention {
namespace {

constexpr std::int64_t kNever = 0;

class Performer final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.choice("kernel", kernel_, "kernel that the features approximate")
        .choice("projection", projection_, "none: relu of q and k alone")
        .integer("nb_features", M_, 1, 65536, "M")
        .number("eps", eps_, 0, 1, "added to the softmax kernel's features")
        .number("kernel_epsilon", kernel_epsilon_, 0, 1, "added to the ReLU kernel's features")
        .integer("redraw", redraw_, 0, 1000000000, "steps between new projections; 0: never")
        .flag("causal", causal_, "sums over j <= i");
  }

  void build(const ParameterBuilder&, const Dimensions&) override {
    if (kernel_ == Kernel::softmax && projection_ == Projection::none) {
      fail(ErrorKind::config,
           "attention/performer: the softmax kernel needs a projection; got projection=none, "
           "expected orthogonal; or set kernel=relu");
    }
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    const Value P = projection(x, c);                       // [1,M,D]  P D^-1/4
    const Value q = features(x.q, P, x.q.dim(1), true);     // [H,N,M]  Q'
    const Value k = features(x.k, P, x.key_length, false);  // [H,L,M]  K'
    const KernelSums s = kernel_sums(q, mask_rows(k, x.key_length), x.v, causal_);  // eq. (8)
    return s.numerator / s.denominator;                                             // [H,N,Dv]
  }

  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const auto row = [this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      return over_sum(each_key(keys_of(i, k.dim(1), causal_),
                               [&](std::int64_t j) { return dot(q, k, h, i, j); }),
                      0);
    };
    return {features(in.q, in, true), features(in.k, in, false), row, true};
  }

 private:
  enum class Kernel { softmax, relu };
  friend constexpr auto texts(Kernel) { return enum_texts("softmax", "relu"); }
  enum class Projection { orthogonal, none };
  friend constexpr auto texts(Projection) { return enum_texts("orthogonal", "none"); }

  [[nodiscard]] bool projected() const { return projection_ == Projection::orthogonal; }

  [[nodiscard]] Value projection(const Heads& x, const Context& c) const {
    if (!projected()) return {};
    const std::int64_t D = x.q.dim(2);
    RandomKey key = c.fixed.of("proj");
    if (redraw_ != kNever) key = key.of(static_cast<std::uint64_t>(c.step / redraw_));
    const Tensor P = c.draw("proj", [&] { return orthogonal_projection(M_, D, key); });
    const float scale = std::pow(static_cast<float>(D), -0.25F);
    return cast(Value(P.reshaped({1, P.dim(0), D})) * scale, x.q.dtype());
  }

  // x' of x [H,N,D], of which the first n rows are real.
  [[nodiscard]] Value features(const Value& x, const Value& P, std::int64_t n, bool query) const {
    const auto kernel_epsilon = static_cast<float>(kernel_epsilon_);
    if (!projected()) return relu(x) + kernel_epsilon;
    if (kernel_ == Kernel::relu) return relu(matmul(x, P, {.transpose_b = true})) + kernel_epsilon;
    const float half = 0.5F / std::sqrt(static_cast<float>(x.dim(2)));
    const Value norm = sum_f32(square(cast(x, DType::f32)), 2) * half;  // [H,N,1]  |x~|^2 / 2
    const Tensor w = engine::largest_product(x.tensor(), P.tensor());   // [H,N,1]  max_m P x~
    const auto eps = static_cast<float>(eps_);
    const Value s = query ? Value(w) : max(slice(Value(w), 1, 0, n), 1);
    if (!query && causal_) return exp_product(x, P, norm + s, {}, 0) + exp(-s) * eps;
    return exp_product(x, P, norm + s, {}, eps);  // [H,N,M]
  }

  [[nodiscard]] Plain features(const Plain& x, const PlainInputs& in, bool query) const {
    if (!projected()) {
      Plain f = x;
      for (double& a : f.data) a = std::max(a, 0.0) + kernel_epsilon_;
      return f;
    }
    const Plain& P = in.draws.at("proj");
    const double scale = std::pow(static_cast<double>(x.dim(2)), -0.25);
    Plain f({x.dim(0), x.dim(1), P.dim(0)});
    for (std::int64_t h = 0; h < x.dim(0); ++h) {
      double all = -HUGE_VAL;
      std::vector<double> largest(static_cast<std::size_t>(x.dim(1)), -HUGE_VAL);
      for (std::int64_t i = 0; i < x.dim(1); ++i) {
        for (std::int64_t m = 0; m < P.dim(0); ++m) {
          for (std::int64_t c = 0; c < x.dim(2); ++c) f(h, i, m) += P(m, c) * scale * x(h, i, c);
          double& row = largest[static_cast<std::size_t>(i)];
          row = std::max(row, f(h, i, m));
          all = std::max(all, f(h, i, m));
        }
      }
      for (std::int64_t i = 0; i < x.dim(1); ++i) {
        const double norm = dot(x, x, h, i, i) * scale * scale / 2;
        const double stabiliser =
            in.stop_gradient(query ? largest[static_cast<std::size_t>(i)] : all);
        const double eps = !query && causal_ ? eps_ * std::exp(-stabiliser) : eps_;
        for (std::int64_t m = 0; m < P.dim(0); ++m) {
          double& w = f(h, i, m);
          w = kernel_ == Kernel::relu ? std::max(w, 0.0) + kernel_epsilon_
                                      : std::exp(w - norm - stabiliser) + eps;
        }
      }
    }
    return f;
  }

  Kernel kernel_ = Kernel::softmax;
  Projection projection_ = Projection::orthogonal;
  std::int64_t M_ = 256;
  double eps_ = 1e-4;
  double kernel_epsilon_ = 1e-3;
  std::int64_t redraw_ = kNever;
  bool causal_ = false;
};

LRA_ATTENTION(performer, Performer,
              {.label = "Performer",
               .cite = "Choromanski2020, arXiv 2009.14794",
               .causal = true,
               .cross = true,
               .approximates_softmax = true,
               .permutation_equivariant = true});

}  // namespace
}  // namespace lra::attention

// FNet. Lee-Thorp, Ainslie, Eckstein, Ontanon 2021, "FNet: Mixing Tokens with Fourier Transforms",
// arXiv 2105.03824, eq. (3).
//   y = Re(F_tokens(F_features(x))), not normalised, in place of attention: no q, k, v, out.
// Time O(N E log(N E)), no parameters. The transform's length is the sequence's own by default;
// `transform = tensor` takes the tensor's with zeros behind the sequence, as codes that pad do. No
// causal form: each frequency depends on all tokens.

#include <cmath>
#include <numbers>

#include "attention/attention.h"
#include "attention/parts/layout.h"
#include "engine/fused/spectral/fourier.h"

namespace lra::attention {
namespace {

class Fnet final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.choice("transform", transform_,
             "length of the transform: the real one, or the padded tensor's");
  }

  [[nodiscard]] Value mix(const Value& x, const Context& c) const override {
    return engine::fourier_mix(x, transform_ == Extent::tensor ? x.dim(0) : c.length);  // [N,E]
  }

  // y_ke = sum_j sum_f x_jf cos(2 pi (j k / n + f e / E)).
  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    const std::int64_t n = transform_ == Extent::tensor ? in.rows : in.x.dim(0);
    const std::int64_t E = in.x.dim(1);
    Plain y(in.x.shape);
    const auto turn = [](std::int64_t a, std::int64_t period) {
      return 2 * std::numbers::pi * static_cast<double>(a % period) / static_cast<double>(period);
    };
    for (std::int64_t k = 0; k < y.dim(0); ++k) {
      for (std::int64_t e = 0; e < E; ++e) {
        for (std::int64_t j = 0; j < in.x.dim(0); ++j) {
          for (std::int64_t f = 0; f < E; ++f) {
            y(k, e) += in.x(j, f) * std::cos(turn(j * k, n) + turn(f * e, E));
          }
        }
      }
    }
    return y;
  }

 private:
  Extent transform_ = Extent::length;
};

LRA_ATTENTION(fnet, Fnet,
              {.label = "FNet",
               .cite = "LeeThorp2021, arXiv 2105.03824",
               .input = Input::block,
               .time = Growth::n_log_n});

}  // namespace
}  // namespace lra::attention

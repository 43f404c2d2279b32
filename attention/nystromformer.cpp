// Nystromformer. Xiong, Zeng, Chakraborty, Tan, Fung, Li, Singh 2021, "Nystromformer: A
// Nystrom-Based Algorithm for Approximating Self-Attention", arXiv 2102.03902, eq. (8)-(14).
// m landmarks q~, k~ are the means of consecutive segments. F = softmax(q k~^T), A = softmax(q~
// k~^T), B = softmax(q~ k^T), all with q and k times D^-1/4; o = F A^+ (B v) + conv(v), A^+ by six
// steps of an iteration (pseudo_inverse.h) and conv a depthwise convolution over the tokens.
// Time O(N m D + m^3), memory O(N m). Exact softmax if every token is a landmark. Padded keys leave
// B; padded rows count as zeros in their segment. Ours: segments divide the real length by default
// (`segments = tensor`: the padded tensor's, as published); the start value 1/c of the iteration is
// each matrix's own, where the authors' code takes it over the whole batch; A, A^+ and B v are in
// f32 also in bf16 runs. No causal form: B and the landmarks depend on all tokens.

#include <cmath>
#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "attention/parts/landmarks.h"
#include "attention/parts/layout.h"
#include "attention/parts/pseudo_inverse.h"
#include "engine/fused/attention/softmax_attention.h"

namespace lra::attention {
namespace {

class Nystromformer final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("landmarks", m_, 1, 4096, "m")
        .integer("pinv_iters", iterations_, 0, 100, "steps of the pseudo-inverse")
        .integer("conv_kernel", taps_, 0, 1023, "taps of the convolution, odd; 0: none");
    segments_.option(t);
  }

  void build(const ParameterBuilder& parameters, const Dimensions& d) override {
    if (taps_ == 0) return;
    if (taps_ % 2 == 0) {
      fail(ErrorKind::config, "attention/nystromformer: conv_kernel must be odd or 0; got {}",
           taps_);
    }
    conv_ = parameters.add("conv", Shape{d.heads, taps_}, engine::init::torch_linear(taps_));
  }

  [[nodiscard]] nlohmann::json golden_options(const nlohmann::json& hyper) override {
    return segments_.golden(Attention::golden_options(hyper), hyper);
  }

  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const std::int64_t n = x.length;
    const std::int64_t size = divide_up(segments_.length(n, x.q.dim(1)), m_);  // of a segment
    const float scale = 1.0F / std::sqrt(static_cast<float>(x.q.dim(2)));
    const auto attend = [&](const Value& q, const Value& k, const Value& v, std::int64_t keys,
                            bool f32) {
      return engine::softmax_attention(q, k, v, {.scale = scale, .keys = keys, .f32_result = f32});
    };
    Value o;
    if (size == 1) {
      o = attend(x.q, x.k, x.v, n, false);
    } else {
      const DType type = x.q.dtype();
      const Value q = group_sums(x.q, n, size, m_) / static_cast<float>(size);  // [H,m,D]  q~
      const Value k = group_sums(x.k, n, size, m_) / static_cast<float>(size);  // [H,m,D]  k~
      const Value A = softmax(matmul(q, k, {.transpose_b = true}) * scale);     // [H,m,m]
      const Value Bv = attend(cast(q, type), x.k, x.v, n, true);                // [H,m,Dv]
      const Value ZBv = matmul(pseudo_inverse(A, iterations_), Bv);             // [H,m,Dv]
      o = attend(x.q, cast(k, type), cast(ZBv, type), m_, false);
    }
    if (taps_ == 0) return o;
    return o + convolve_tokens(mask_rows(x.v, n), conv_.value_f32());
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    const std::int64_t n = in.q.dim(1);
    const std::int64_t size = divide_up(segments_.length(n, in.rows), m_);
    Plain o;
    if (size == 1) {
      o = product(softmax_rows(in.q, in.k), in.v);
    } else {
      const Plain q = means(in.q, size);
      const Plain k = means(in.k, size);
      const Plain Z = pseudo_inverse(softmax_rows(q, k), iterations_);
      const Plain B = softmax_rows(q, in.k);
      o = product(softmax_rows(in.q, k), product(Z, product(B, in.v)));
    }
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      for (std::int64_t i = 0; i < n; ++i) {
        for (std::int64_t t = 0; t < taps_; ++t) {
          const std::int64_t j = i + t - taps_ / 2;
          const double w = in.parameters.at("conv").data[static_cast<std::size_t>(h * taps_ + t)];
          if (j >= 0 && j < n) add_scaled(o, h, i, w, in.v, j);
        }
      }
    }
    return o;
  }

 private:
  [[nodiscard]] Plain means(const Plain& x, std::int64_t size) const {
    Plain y({x.dim(0), m_, x.dim(2)});
    for (std::int64_t h = 0; h < x.dim(0); ++h) {
      for (std::int64_t i = 0; i < x.dim(1); ++i) {
        add_scaled(y, h, i / size, 1 / static_cast<double>(size), x, i);
      }
    }
    return y;
  }

  // softmax(q k^T / sqrt(D)) [H, n, m].
  [[nodiscard]] static Plain softmax_rows(const Plain& q, const Plain& k) {
    Plain a({q.dim(0), q.dim(1), k.dim(1)});
    for (std::int64_t h = 0; h < a.dim(0); ++h) {
      for (std::int64_t i = 0; i < a.dim(1); ++i) {
        std::vector<double> s;
        for (std::int64_t j = 0; j < a.dim(2); ++j) {
          s.push_back(dot(q, k, h, i, j) / std::sqrt(static_cast<double>(q.dim(2))));
        }
        s = plain_softmax(s);
        std::copy(s.begin(), s.end(), &a(h, i, 0));
      }
    }
    return a;
  }

  std::int64_t m_ = 64;
  std::int64_t iterations_ = 6;
  std::int64_t taps_ = 35;
  Layout segments_{"segments"};
  Parameter conv_;
};

LRA_ATTENTION(nystromformer, Nystromformer,
              {.label = "Nystromformer",
               .cite = "Xiong2021, arXiv 2102.03902",
               .approximates_softmax = true,
               .ill_conditioned = true});  // an iterated pseudo-inverse

}  // namespace
}  // namespace lra::attention

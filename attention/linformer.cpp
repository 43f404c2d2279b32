// Linformer. Wang, Li, Khabsa, Fang, Ma 2020, "Linformer: Self-Attention with Linear Complexity",
// arXiv 2006.04768, eq. (7).
// Softmax attention over r projected keys and values: K' = E K, V' = F V. Time O(N r D), memory
// O(N r), parameters r x max_length (per head, or one for all heads). E and F cover the longest
// sequence; a shorter one uses their first columns. Padded keys and values are zeroed before they
// are projected; the r logits need no mask. Sharing as in the published codes: one matrix for keys
// and values (`share_kv`) and for the heads (`heads_shared`); none is shared between layers. No
// causal form: a projected key depends on all tokens.

#include <cmath>

#include "attention/attention.h"
#include "engine/fused/attention/softmax_attention.h"

namespace lra::attention {
namespace {

class Linformer final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("kproj", r_, 1, 65536, "r, rows of the projections")
        .flag("share_kv", share_kv_, "F = E")
        .flag("heads_shared", heads_shared_, "one matrix for all heads")
        .number("init_std", init_std_, 0, 10, "standard deviation of the initial E and F");
  }

  void build(const ParameterBuilder& parameters, const Dimensions& d) override {
    max_length_ = d.max_length;
    const Shape shape{heads_shared_ ? 1 : d.heads, r_, d.max_length};
    const auto normal = engine::init::normal(0, static_cast<float>(init_std_));
    E_ = parameters.add("E", shape, normal);
    if (!share_kv_) F_ = parameters.add("F", shape, normal);
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    if (x.key_length > max_length_) {
      fail(ErrorKind::shape, "attention/linformer: got {} keys, expected at most max_length = {}",
           x.key_length, max_length_);
    }
    const std::int64_t M = std::min(x.k.dim(1), max_length_);
    const auto project = [&](const Parameter& parameter, const Value& y) {
      const Value P = slice(parameter.value(), 2, 0, M);
      const Value rows = mask_rows(slice(y, 1, 0, M), x.key_length);
      if (!heads_shared_) return matmul(P, rows);  // [H,r,M] x [H,M,*]
      // [r,M] x [M,H*]: the heads side by side
      return engine::split_heads(matmul(reshape(P, {r_, M}), merge_heads(rows)), 1, y.dim(0))[0];
    };
    Value K, V;  // [H,r,D]  E K, [H,r,Dv]  F V
    if (share_kv_) {
      const Value both = project(E_, engine::concat({x.k, x.v}, 2));  // one pass over E
      K = slice(both, 2, 0, x.k.dim(2));
      V = slice(both, 2, x.k.dim(2), x.v.dim(2));
    } else {
      K = project(E_, x.k);
      V = project(F_, x.v);
    }
    // eq. (7)
    return engine::softmax_attention(x.q, K, V,
                                     {.scale = 1.0F / std::sqrt(static_cast<float>(x.q.dim(2))),
                                      .keys = r_,
                                      .dropout = c.dropout,
                                      .key = c.call.of("weights")});
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    const Plain K = project(in.parameters.at("E"), in.k);
    const Plain V = project(in.parameters.at(share_kv_ ? "E" : "F"), in.v);
    Plain o({in.q.dim(0), in.q.dim(1), in.v.dim(2)});
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      for (std::int64_t i = 0; i < o.dim(1); ++i) {
        std::vector<double> logits;
        for (std::int64_t a = 0; a < r_; ++a) {
          logits.push_back(dot(in.q, K, h, i, a) / std::sqrt(static_cast<double>(in.q.dim(2))));
        }
        const std::vector<double> A = plain_softmax(logits);
        for (std::int64_t a = 0; a < r_; ++a) {
          add_scaled(o, h, i, A[static_cast<std::size_t>(a)], V, a);
        }
      }
    }
    return o;
  }

 private:
  [[nodiscard]] Plain project(const Plain& P, const Plain& y) const {
    Plain result({y.dim(0), r_, y.dim(2)});
    for (std::int64_t h = 0; h < y.dim(0); ++h) {
      for (std::int64_t a = 0; a < r_; ++a) {
        for (std::int64_t j = 0; j < y.dim(1); ++j) {
          add_scaled(result, h, a, P(heads_shared_ ? 0 : h, a, j), y, j);
        }
      }
    }
    return result;
  }

  std::int64_t r_ = 256;
  bool share_kv_ = true;
  bool heads_shared_ = false;
  double init_std_ = 0.02;
  std::int64_t max_length_ = 1;
  Parameter E_, F_;
};

LRA_ATTENTION(linformer, Linformer,
              {.label = "Linformer",
               .cite = "Wang2020, arXiv 2006.04768",
               .cross = true,
               .approximates_softmax = true});

}  // namespace
}  // namespace lra::attention

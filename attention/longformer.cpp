// Longformer. Beltagy, Peters, Cohan 2020, "Longformer: The Long-Document Transformer", arXiv
// 2004.05150, section 3.1.
// Token i attends a window of w keys, i - l <= j <= i + r, and the global tokens; global tokens
// attend all, by a second set of projections qg, kg, vg. Time O(N (w + g) D), memory O(N (w + g)).
// As in LRA, w counts all keys of the window: r = [w/2], l = w - [w/2] - 1. Exact softmax for
// windows over the whole sequence without global tokens. Ours: the CLS token is global if there is
// one (LRA's code never makes a token global, though it carries the projections); the second
// projections have no bias; causal keeps j <= i everywhere. Longer than other variants: the windows
// and the global token are two attentions, each defined.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "attention/attention.h"
#include "attention/parts/key_lists.h"

namespace lra::attention {
namespace {

constexpr std::int64_t kTile = 64;

class Longformer final : public Attention {
 public:
  void options(OptionTable& t) override {
    t.integer("window", w_, 1, 65536, "w, keys of a window, the token's own included")
        .choice("global", global_, "cls: the CLS token is global if there is one")
        .flag("causal", causal_, "a query sees itself and what is before it");
  }

  void build(const ParameterBuilder& parameters, const Dimensions& d) override {
    heads_ = d.heads;
    cls_ = d.cls && global_ == Global::cls;
    if (!cls_) return;
    const std::int64_t width = d.heads * d.head_dim;
    for (const char* name : {"qg", "kg", "vg"}) {
      projections_[name] = parameters.add(std::string(name) + ".weight", Shape{d.width, width},
                                          engine::init::xavier_uniform(d.width, width));
    }
  }

  // Files describe the global tokens in words; their positions are a draw.
  [[nodiscard]] nlohmann::json golden_options(const nlohmann::json& hyper) override {
    return {{"window", hyper.at("window")}};
  }

  [[nodiscard]] Value forward(const Heads& x, const Context& c) const override {
    const Tensor marks = c.draw("global", [&] {  // [N]
      Tensor m = Tensor::zeros({x.q.dim(1)});
      if (cls_) m.f32()[0] = 1;
      return m;
    });
    std::vector<std::int32_t> global;
    const std::vector<float> mark = marks.to_floats();
    for (std::int64_t i = 0; i < x.length; ++i) {
      if (mark[static_cast<std::size_t>(i)] != 0) global.push_back(static_cast<std::int32_t>(i));
    }
    const auto options = scaled_by_width(x.q, c);
    Value o =
        engine::block_attention(x.q, x.k, x.v, windows(x.length, global), options).o;  // [H,N,Dv]
    if (global.empty()) return o;
    return o + attend_rows(second(x, "qg"), second(x, "kg"), second(x, "vg"), global, x.length,
                           causal_, options);
  }

  // Global queries have separate projections and values, so W alone does not determine o.
  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const std::vector<double>& global = in.draws.at("global").data;
    const bool any = std::any_of(global.begin(), global.end(), [](double g) { return g != 0; });
    return any ? Weights() : window_weights(in);
  }

  [[nodiscard]] Plain define(const PlainInputs& in) const override {
    const std::vector<double>& global = in.draws.at("global").data;
    const auto is_global = [&](std::int64_t i) { return global[static_cast<std::size_t>(i)] != 0; };
    Plain o = weighted_sum(window_weights(in), in.v);
    if (std::none_of(global.begin(), global.end(), [](double g) { return g != 0; })) return o;
    const auto all = [](std::int64_t, std::int64_t, std::int64_t) { return 1; };
    const Plain full =
        weighted_sum(softmax_weights(plain_second(in, "qg"), plain_second(in, "kg"), causal_, all),
                     plain_second(in, "vg"));
    for (std::int64_t h = 0; h < o.dim(0); ++h) {
      for (std::int64_t i = 0; i < o.dim(1); ++i) {
        for (std::int64_t d = 0; is_global(i) && d < o.dim(2); ++d) o(h, i, d) = full(h, i, d);
      }
    }
    return o;
  }

 private:
  enum class Global { cls, none };
  friend constexpr auto texts(Global) { return enum_texts("cls", "none"); }

  [[nodiscard]] std::int64_t right() const { return w_ / 2; }
  [[nodiscard]] std::int64_t left() const { return w_ - w_ / 2 - 1; }

  // Each tile's window and the global tokens; global queries are left out.
  [[nodiscard]] engine::BlockLists windows(std::int64_t n,
                                           const std::vector<std::int32_t>& global) const {
    const auto contains = [&](std::int64_t j) {
      return std::binary_search(global.begin(), global.end(), j);
    };
    // One slab contains a window and some global tokens.
    engine::BlockLists lists(kTile, (std::min(w_, n) + kTile + 15) / 16 * 16);
    for (std::int64_t begin = 0; begin < n; begin += kTile) {
      const std::int64_t end = std::min(begin + kTile, n);
      std::vector<std::int32_t> rows;
      for (std::int64_t i = begin; i < end; ++i) {
        rows.push_back(contains(i) ? -1 : static_cast<std::int32_t>(i));
      }
      lists.tile(rows);
      const std::int64_t low = std::max<std::int64_t>(begin - left(), 0);
      const std::int64_t high = std::min(end + right(), n);
      const auto add = [&](std::int64_t j, std::int64_t first, std::int64_t last) {
        lists.key(j, causal_ ? std::max(first, j - begin) : first, last);
      };
      for (std::int64_t j = low; j < high; ++j) {
        if (contains(j)) continue;
        add(j, j - right() - begin, std::min(j + left() + 1 - begin, end - begin));
      }
      for (const std::int32_t j : global) add(j, 0, end - begin);
    }
    return lists;
  }

  [[nodiscard]] Value second(const Heads& x, const std::string& name) const {
    if (const Value* given = x.find(name)) return *given;
    const auto found = projections_.find(name);
    if (found == projections_.end()) {
      fail(ErrorKind::config, "attention/longformer: global tokens without {}; set global=cls",
           name);
    }
    return engine::split_heads(linear(x.x, found->second.value(), {}), 1, heads_).front();
  }

  // The window of each token and the global tokens.
  [[nodiscard]] Weights window_weights(const PlainInputs& in) const {
    return softmax_weights(
        in.q, in.k, causal_,
        [this, global = in.draws.at("global").data](std::int64_t, std::int64_t i, std::int64_t j) {
          const bool near = i - left() <= j && j <= i + right();
          return near || global[static_cast<std::size_t>(j)] != 0 ? 1 : 0;
        });
  }

  [[nodiscard]] Plain plain_second(const PlainInputs& in, const std::string& name) const {
    if (const auto given = in.parameters.find(name); given != in.parameters.end()) {
      return given->second;
    }
    const Plain& W = in.parameters.at(name + ".weight");  // [E, H D]
    const std::int64_t D = W.dim(1) / heads_;
    Plain y({heads_, in.x.dim(0), D});
    for (std::int64_t h = 0; h < heads_; ++h) {
      for (std::int64_t i = 0; i < in.x.dim(0); ++i) {
        for (std::int64_t d = 0; d < D; ++d) {
          for (std::int64_t e = 0; e < W.dim(0); ++e) y(h, i, d) += in.x(i, e) * W(e, h * D + d);
        }
      }
    }
    return y;
  }

  std::int64_t w_ = 512;
  Global global_ = Global::cls;
  bool causal_ = false;
  bool cls_ = false;
  std::int64_t heads_ = 1;
  std::map<std::string, Parameter> projections_;
};

LRA_ATTENTION(longformer, Longformer,
              {.label = "Longformer", .cite = "Beltagy2020, arXiv 2004.05150", .causal = true});

}  // namespace
}  // namespace lra::attention

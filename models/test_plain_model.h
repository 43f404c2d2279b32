#pragma once
// The plain definition of a model, for definition_test.cpp: the parameters of the model itself,
// read by their names, in loops in double precision.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "engine/runtime.h"
#include "models/model.h"
#include "tests/catch.h"

namespace lra::models::plain {

using Row = std::vector<double>;
using Rows = std::vector<Row>;
using Ids = std::vector<std::uint16_t>;

inline constexpr std::int64_t kWidth = 8;  // of the models that are compared

class Plain {
 public:
  Plain(const Model& model, Pass pass)
      : model_(model), config_(model.config()), task_(model.task()), pass_(std::move(pass)) {}

  [[nodiscard]] Row logits(const Ids& ids, const Ids& second) {
    Rows x = encoded(ids);
    if (task_.head == Head::token) {
      Row all;
      const std::size_t extra = config_.pooling == Pooling::cls ? 1 : 0;
      for (std::size_t i = 0; i < ids.size(); ++i) {
        for (const double y : classified(x[i + extra])) all.push_back(y);
      }
      return all;
    }
    const Row a = pooled(x, ids);
    if (task_.head == Head::pooled_class) return classified(a);
    pass_.key = pass_.key.of("second");
    const Row b = pooled(encoded(second), second);
    Row both = a;
    both.insert(both.end(), b.begin(), b.end());
    if (config_.pair_features == PairFeatures::nli) {
      for (std::size_t e = 0; e < a.size(); ++e) both.push_back(a[e] * b[e]);
      for (std::size_t e = 0; e < a.size(); ++e) both.push_back(a[e] - b[e]);
    }
    return classified(both);
  }

 private:
  [[nodiscard]] const float* parameter(const std::string& name) const {
    const auto* entry = model_.parameters().find(name);
    return entry == nullptr ? nullptr : model_.parameters().master().f32() + entry->offset;
  }

  // x W + b; b may be missing.
  [[nodiscard]] Row mapped(const Row& x, const std::string& name, std::size_t out) const {
    const float* w = parameter(name + ".weight");
    const float* b = parameter(name + ".bias");
    REQUIRE(w != nullptr);
    REQUIRE(model_.parameters().find(name + ".weight")->size ==
            static_cast<std::int64_t>(x.size() * out));
    Row y(out);
    for (std::size_t o = 0; o < out; ++o) {
      y[o] = b == nullptr ? 0 : double{b[o]};
      for (std::size_t i = 0; i < x.size(); ++i) y[o] += x[i] * double{w[i * out + o]};
    }
    return y;
  }

  [[nodiscard]] Row normalised(const Row& x, const std::string& name) const {
    const auto n = static_cast<double>(x.size());
    double mean = 0;
    for (const double v : x) mean += v / n;
    double variance = 0;
    for (const double v : x) variance += (v - mean) * (v - mean) / n;
    Row y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      y[i] = (x[i] - mean) / std::sqrt(variance + config_.norm_eps) *
                 double{parameter(name + ".weight")[i]} +
             double{parameter(name + ".bias")[i]};
    }
    return y;
  }

  // The engine's mask at a place of the model, applied.
  [[nodiscard]] Rows dropped(Rows x, double rate, const RandomKey& key) const {
    if (!pass_.training || rate == 0) return x;
    const auto width = static_cast<std::int64_t>(x.front().size());
    const Value ones(engine::Tensor::full({static_cast<std::int64_t>(x.size()), width}, 1));
    const std::vector<float> mask = engine::dropout(ones, rate, key).tensor().to_floats();
    std::size_t at = 0;
    for (Row& row : x) {
      for (double& v : row) v *= double{mask[at++]};
    }
    return x;
  }
  [[nodiscard]] Rows dropped(Rows x, const char* place, std::size_t layer) const {
    return dropped(std::move(x), config_.dropout, pass_.key.of(place).of(layer));
  }

  [[nodiscard]] double sinusoid(std::size_t position, std::size_t c, std::size_t width) const {
    const std::size_t even = c - c % 2;
    const double rate =
        1 / std::pow(10000.0, static_cast<double>(even) / static_cast<double>(width));
    const double angle = static_cast<double>(position) * rate;
    return c % 2 == 1 ? std::cos(angle) : std::sin(angle);
  }

  // The position embedding of row i, CLS included.
  [[nodiscard]] double position(std::size_t i, std::size_t c) const {
    const bool cls = config_.pooling == Pooling::cls;
    constexpr std::size_t kHalf = kWidth / 2;
    if (config_.positions == Positions::learned) {
      return double{parameter("embedding.positions")[i * kWidth + c]};
    }
    if (config_.positions == Positions::sinusoidal) return sinusoid(i, c, kWidth);
    if (config_.positions != Positions::sinusoidal_2d || (cls && i == 0)) return 0;
    const std::size_t pixel = i - (cls ? 1 : 0);
    return c < kHalf ? sinusoid(pixel / side(), c, kHalf)
                     : sinusoid(pixel % side(), c - kHalf, kHalf);
  }
  [[nodiscard]] std::size_t side() const {
    return static_cast<std::size_t>(std::lround(std::sqrt(task_.max_length)));
  }

  [[nodiscard]] Rows embedded(const Ids& ids) const {
    Rows x;
    if (config_.pooling == Pooling::cls) {
      const float* cls = parameter("embedding.cls");
      x.emplace_back(cls, cls + kWidth);
    }
    const bool all = config_.pooling == Pooling::mean_all || config_.pooling == Pooling::max_all;
    const std::size_t rows = all ? static_cast<std::size_t>(task_.max_length) : ids.size();
    for (std::size_t i = 0; i < rows; ++i) {
      const std::uint16_t id = i < ids.size() ? ids[i] : 0;
      if (config_.input == EncoderInput::pixels) {
        const double grey = std::max(0.0, static_cast<double>(id - task_.pixel_offset) / 255);
        x.push_back(
            mapped({(grey - config_.pixel_mean) / config_.pixel_std}, "embedding.pixel", kWidth));
      } else {
        const float* row = parameter("embedding.tokens") + id * kWidth;
        x.emplace_back(row, row + kWidth);
      }
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      for (std::size_t c = 0; c < kWidth; ++c) x[i][c] += position(i, c);
    }
    x.resize(static_cast<std::size_t>(model_.encoder_rows(ids)), Row(kWidth));  // never pooled
    return x;
  }

  // Turns the pairs of features [from, from + width) of a head of row i.
  void turn(double* head, std::size_t from, std::size_t width, std::size_t i) const {
    for (std::size_t m = 0; m < width / 2; ++m) {
      const double angle =
          static_cast<double>(i) *
          std::pow(config_.rotary_base, -2.0 * static_cast<double>(m) / static_cast<double>(width));
      const bool halves = config_.rotary_pairs == engine::RotaryPairs::half;
      double& a = head[from + (halves ? m : 2 * m)];
      double& b = head[from + (halves ? m + width / 2 : 2 * m + 1)];
      const double turned = a * std::cos(angle) - b * std::sin(angle);
      b = a * std::sin(angle) + b * std::cos(angle);
      a = turned;
    }
  }
  void turn(double* head, std::size_t width, std::size_t i) const {
    const bool cls = config_.pooling == Pooling::cls;
    if (config_.positions == Positions::rotary) {
      turn(head, 0, width, i);
    } else if (config_.positions == Positions::rotary_2d && !(cls && i == 0)) {
      const std::size_t pixel = i - (cls ? 1 : 0);
      turn(head, 0, width / 2, pixel / side());
      turn(head, width / 2, width / 2, pixel % side());
    }
  }

  // Softmax attention over the `real` first rows, with the maps around it.
  [[nodiscard]] Rows attended(const Rows& h, const std::string& prefix, std::size_t real) const {
    const auto heads = static_cast<std::size_t>(config_.heads);
    const auto all = static_cast<std::size_t>(config_.qkv_width);
    const std::size_t D = all / heads;
    Rows qkv;
    for (std::size_t i = 0; i < h.size(); ++i) {
      qkv.push_back(mapped(h[i], prefix + "attention.qkv", 3 * all));
      for (std::size_t at = 0; at < 2 * all && i < real; at += D) turn(&qkv[i][at], D, i);
    }
    Rows result;
    for (std::size_t i = 0; i < h.size(); ++i) {
      Row o(all);  // stays 0 in rows of padding
      for (std::size_t head = 0; head < heads && i < real; ++head) {
        Row weights(real);
        double sum = 0;
        for (std::size_t j = 0; j < real; ++j) {
          double product = 0;
          for (std::size_t d = head * D; d < (head + 1) * D; ++d) {
            product += qkv[i][d] * qkv[j][all + d];
          }
          sum += weights[j] = std::exp(product / std::sqrt(static_cast<double>(D)));
        }
        for (std::size_t d = head * D; d < (head + 1) * D; ++d) {
          for (std::size_t j = 0; j < real; ++j) {
            o[d] += weights[j] / sum * qkv[j][2 * all + d];
          }
        }
      }
      if (config_.attention_gate != AttentionGate::none) {
        const bool each = config_.attention_gate == AttentionGate::head;
        const Row gate = mapped(h[i], prefix + "attention.gate", each ? heads : all);
        for (std::size_t head = 0; head < heads; ++head) {
          for (std::size_t d = head * D; d < (head + 1) * D; ++d) {
            o[d] /= 1 + std::exp(-gate[each ? head : d]);
          }
        }
      }
      result.push_back(mapped(o, prefix + "attention.out", kWidth));
    }
    return result;
  }

  [[nodiscard]] double activated(double x) const {
    if (config_.activation == Activation::relu) return std::max(0.0, x);
    if (config_.activation == Activation::gelu_erf) {
      return x / 2 * (1 + std::erf(x / std::numbers::sqrt2));
    }
    return x / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
  }

  [[nodiscard]] Rows fed_forward(const Rows& h, const std::string& prefix,
                                 std::size_t layer) const {
    Rows inner;
    for (const Row& row : h) {
      inner.push_back(mapped(row, prefix + "ff1", static_cast<std::size_t>(config_.ff_width)));
      for (double& v : inner.back()) v = activated(v);
    }
    inner = dropped(inner, "ff inner", layer);
    Rows result;
    for (const Row& row : inner) result.push_back(mapped(row, prefix + "ff2", kWidth));
    return result;
  }

  [[nodiscard]] Rows encoded(const Ids& ids) const {
    const std::size_t real = ids.size() + (config_.pooling == Pooling::cls ? 1 : 0);
    const double rate = config_.embedding_dropout < 0 ? config_.dropout : config_.embedding_dropout;
    Rows x = dropped(embedded(ids), rate, pass_.key.of("embedding"));
    const bool pre = config_.norm == NormPlace::pre;
    const auto all_normalised = [&](Rows rows, const std::string& name) {
      for (Row& row : rows) row = normalised(row, name);
      return rows;
    };
    const auto add = [&](const Rows& y) {
      for (std::size_t i = 0; i < x.size(); ++i) {
        for (std::size_t c = 0; c < kWidth; ++c) x[i][c] += y[i][c];
      }
    };
    for (std::size_t l = 0; l < static_cast<std::size_t>(config_.layers); ++l) {
      const std::string prefix = "layers." + std::to_string(l) + ".";
      const Rows h = pre ? all_normalised(x, prefix + "norm1") : x;
      add(dropped(attended(h, prefix, real), "attention out", l));
      if (!pre) x = all_normalised(x, prefix + "norm1");
      if (!config_.feed_forward) continue;
      const Rows g = pre ? all_normalised(x, prefix + "norm2") : x;
      add(dropped(fed_forward(g, prefix, l), "ff out", l));
      if (!pre) x = all_normalised(x, prefix + "norm2");
    }
    return pre && config_.final_norm ? all_normalised(x, "final_norm") : x;
  }

  [[nodiscard]] Row pooled(const Rows& x, const Ids& ids) const {
    const Pooling kind = config_.pooling;
    if (kind == Pooling::cls || kind == Pooling::first) return x.front();
    if (kind == Pooling::last) return x[ids.size() - 1];
    const bool all = kind == Pooling::mean_all || kind == Pooling::max_all;
    const std::size_t counted = all ? x.size() : ids.size();
    Row largest = x.front();
    Row sum(kWidth);
    for (std::size_t i = 0; i < counted; ++i) {
      for (std::size_t c = 0; c < kWidth; ++c) {
        largest[c] = std::max(largest[c], x[i][c]);
        sum[c] += x[i][c];
      }
    }
    if (kind == Pooling::max || kind == Pooling::max_all) return largest;
    auto divisor = static_cast<double>(counted);
    if (kind == Pooling::sum) divisor = 1;
    if (kind == Pooling::mean_zeroed) {
      divisor =
          static_cast<double>(config_.padded_length > 0 ? config_.padded_length : task_.max_length);
    }
    for (double& v : sum) v /= divisor;
    return sum;
  }

  [[nodiscard]] Row classified(Row x) const {
    if (config_.classifier == Classifier::tied) {
      Row y;
      for (std::int64_t k = 0; k < task_.classes; ++k) {
        const float* row = parameter("embedding.tokens") + k * kWidth;
        y.push_back(0);
        for (std::size_t c = 0; c < kWidth; ++c) y.back() += x[c] * double{row[c]};
      }
      return y;
    }
    auto hidden = static_cast<std::size_t>(config_.ff_width);
    const std::int64_t layers = task_.head == Head::token ? 0 : config_.head_layers;
    for (std::int64_t l = 0; l < layers; ++l, hidden /= 2) {
      x = mapped(x, "head.hidden" + std::to_string(l), hidden);
      for (double& v : x) v = std::max(0.0, v);
    }
    return mapped(x, "head.out", static_cast<std::size_t>(task_.classes));
  }

  const Model& model_;
  const ModelConfig& config_;
  const ModelTask& task_;
  Pass pass_;
};

}  // namespace lra::models::plain

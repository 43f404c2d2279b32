// A plugin for the tests of `lra check`: linear attention with phi(x) = elu(x) + 1, correct in one
// variant and with one fault in each of the others.

#include <cmath>
#include <limits>

#include "attention/attention.h"
#include "attention/parts/kernel_attention.h"
#include "attention/plugin.h"

LRA_PLUGIN();

namespace {

using namespace lra::attention;

double phi(double x) { return x > 0 ? x + 1 : std::exp(x); }

class Right : public Attention {
 public:
  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    return attend(x, x.key_length, false);
  }
  [[nodiscard]] Weights weights(const PlainInputs& in) const override {
    const auto row = [this](const Plain& q, const Plain& k, std::int64_t h, std::int64_t i) {
      const std::int64_t keys = causal_ ? i + 1 : k.dim(1);
      return over_sum(
          each_key(k.dim(1), [&](std::int64_t j) { return j < keys ? dot(q, k, h, i, j) : 0.0; }),
          kEpsilon);
    };
    return {mapped(in.q, phi), mapped(in.k, phi), row, true};
  }

 protected:
  static constexpr double kEpsilon = 1e-6;
  static Value attend(const Heads& x, std::int64_t keys, bool causal) {
    const Value q = elu_plus_one(x.q);
    const Value k = mask_rows(elu_plus_one(x.k), keys);
    const KernelSums sums = kernel_sums(q, k, x.v, causal);
    return sums.numerator / (sums.denominator + static_cast<float>(kEpsilon));
  }
  bool causal_ = false;
};

class Causal : public Right {
 public:
  void options(lra::OptionTable& t) override { t.flag("causal", causal_, "sums over j <= i"); }
  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    return attend(x, x.key_length, causal_);
  }
};

class IgnoredCausal final : public Causal {
 public:
  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    return attend(x, x.key_length, false);
  }
};

// Returns NaN for a padded sequence.
class Padded final : public Right {
 public:
  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    const Value out = attend(x, x.key_length, false);
    const bool padded = x.key_length < x.k.dim(1);
    return padded ? out * std::numeric_limits<float>::quiet_NaN() : out;
  }
};

constexpr double kFactor = 1.001;

class OffByLittle final : public Right {
 public:
  [[nodiscard]] Value forward(const Heads& x, const Context&) const override {
    return attend(x, x.key_length, false) * static_cast<float>(kFactor);
  }
};

LRA_ATTENTION(right, Causal,
              {.label = "right",
               .cite = "test",
               .causal = true,
               .cross = true,
               .permutation_equivariant = true});
LRA_ATTENTION(
    ignores_causal, IgnoredCausal,
    {.label = "ignores causal", .cite = "test", .causal = true, .permutation_equivariant = true});
LRA_ATTENTION(hides_causal, Causal,
              {.label = "hides causal", .cite = "test", .permutation_equivariant = true});
LRA_ATTENTION(hides_permutation, Right, {.label = "hides permutation", .cite = "test"});
LRA_ATTENTION(
    claims_draws, Right,
    {.label = "claims draws", .cite = "test", .stochastic = true, .permutation_equivariant = true});
LRA_ATTENTION(nan_if_padded, Padded,
              {.label = "NaN if padded", .cite = "test", .permutation_equivariant = true});
LRA_ATTENTION(off, OffByLittle, {.label = "off", .cite = "test", .permutation_equivariant = true});

}  // namespace

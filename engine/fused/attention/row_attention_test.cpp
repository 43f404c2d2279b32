#include "engine/fused/attention/row_attention.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "engine/base/error.h"
#include "engine/compute/kernels/kernels.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

constexpr std::int64_t H = 2;
constexpr std::int64_t D = 3;
constexpr std::int64_t Dv = 4;
constexpr std::int64_t kTile = 256;  // rows drawn together

RowAttentionOptions dropping(std::int64_t keys, bool causal) {
  RowAttentionOptions o;
  o.weights.rule = RowRule::softmax;
  o.scale = 0.6F;
  o.keys = {keys};
  o.causal = causal;
  o.dropout = 0.3;
  o.key = RandomKey(3);
  return o;
}

// The weights of a row of logits, from their definitions.
std::vector<double> definition_weights(const RowWeights& w, const std::vector<double>& s) {
  std::vector<double> result;
  if (s.empty()) return result;
  const double top = *std::max_element(s.begin(), s.end());
  double total = 0;
  for (const double x : s) total += std::exp(x - top);
  double threshold = 0;  // sparsemax: the tau with sum_j max(s_j - tau, 0) = 1
  std::vector<double> sorted = s;
  std::sort(sorted.begin(), sorted.end(), std::greater<>());
  double sum = 0;
  for (std::size_t count = 1; count <= sorted.size(); ++count) {
    sum += sorted[count - 1];
    const double tau = (sum - 1) / static_cast<double>(count);
    if (sorted[count - 1] > tau) threshold = tau;
  }
  // entmax15: the tau with sum_j max(s_j / 2 - tau, 0)^2 = 1, by bisection; softpick: the sum.
  double low = top / 2 - 1;
  double high = top / 2;
  double magnitudes = 1e-8 * std::exp(std::max(top, 0.0));
  for (const double x : s) magnitudes += std::abs(std::expm1(x));
  for (int step = 0; step < 60; ++step) {
    const double tau = (low + high) / 2;
    double squares = 0;
    for (const double x : s) squares += std::pow(std::max(x / 2 - tau, 0.0), 2);
    (squares > 1 ? low : high) = tau;
  }
  const auto rule = [&](double x) {
    switch (w.rule) {
      case RowRule::power:
        return std::pow(x, static_cast<double>(w.degree));
      case RowRule::relu:
        return std::max(x, 0.0);
      case RowRule::relu2:
        return x > 0 ? x * x : 0.0;
      case RowRule::sigmoid:
        return 1 / (1 + std::exp(-x));
      case RowRule::laplace:
        return 0.5 * (1 + std::erf((x - 0.707107) / (0.282095 * std::sqrt(2.0))));
      case RowRule::exp:
        return std::exp(x);
      case RowRule::softmax:
        return std::exp(x - top) / total;
      case RowRule::sparsemax:
        return std::max(x - threshold, 0.0);
      case RowRule::entmax15:
        return std::pow(std::max(x / 2 - low, 0.0), 2);
      case RowRule::softpick:
        return std::max(std::expm1(x), 0.0) / magnitudes;
    }
    return 0.0;
  };
  for (const double x : s) result.push_back(double{w.factor} * rule(x));
  return result;
}

// What a bias adds to the logit of (i, j) in head h.
double bias_at(const Array& bias, std::int64_t h, std::int64_t i, std::int64_t j) {
  if (bias.shape.rank() == 2) return (j <= i ? 1 : -1) * (bias.at({h, i}) - bias.at({h, j}));
  if (bias.shape.rank() == 1) return bias.at({(bias.shape[0] - 1) / 2 + j - i});
  return i < bias.shape[1] ? bias.at({h, i, j}) : 0;
}

// What dropout multiplies the weights of a head by, [N, M]: drawn for the rows of a tile at once.
Tensor dropout_factors(std::int64_t h, std::int64_t N, std::int64_t M,
                       const RowAttentionOptions& o) {
  Tensor factors = Tensor::full({std::min(N, kTile), M}, 1);
  kernels::dropout(factors, factors, o.dropout, o.key.of(static_cast<std::uint64_t>(h)).of(0));
  return factors;
}

// o_i = sum_j w_j(s_i) v_j over the keys that query i may see.
Array attention_definition(const std::vector<Array>& in, const RowAttentionOptions& o) {
  const Array& q = in[0];
  const Array& k = in[1];
  const Array& v = in[2];
  Array y(Shape{H, q.shape[1], Dv});
  for (std::int64_t h = 0; h < H; ++h) {
    const std::int64_t keys = o.keys[o.keys.size() == 1 ? 0 : static_cast<std::size_t>(h)];
    const Tensor factors = dropout_factors(h, q.shape[1], k.shape[1], o);
    for (std::int64_t i = 0; i < q.shape[1]; ++i) {
      std::vector<double> s;
      for (std::int64_t j = 0; j < (o.causal ? std::min(keys, i + 1) : keys); ++j) {
        double sum = 0;
        for (std::int64_t d = 0; d < D; ++d) sum += q.at({h, i, d}) * k.at({h, j, d});
        const double bias = in.size() > 3 ? bias_at(in[3], h, i, j) : 0;
        s.push_back(double{o.scale} * sum + double{o.shift} + bias);
      }
      const std::vector<double> w = definition_weights(o.weights, s);
      for (std::int64_t j = 0; j < static_cast<std::int64_t>(w.size()); ++j) {
        const double weight =
            w[static_cast<std::size_t>(j)] * double{factors.f32()[i * k.shape[1] + j]};
        for (std::int64_t d = 0; d < Dv; ++d) y.at({h, i, d}) += weight * v.at({h, j, d});
      }
    }
  }
  return y;
}

void add(const std::string& name, std::int64_t n, std::int64_t m, const RowAttentionOptions& o,
         const std::vector<Draw>& bias = {}) {
  OpCase c;
  c.inputs = {{"q", {H, n, D}}, {"k", {H, m, D}}, {"v", {H, m, Dv}}};
  c.inputs.insert(c.inputs.end(), bias.begin(), bias.end());
  c.op = [o](const std::vector<Value>& in) {
    return row_attention(in[0], in[1], in[2], in.size() > 3 ? in[3] : Value(), o);
  };
  c.definition = [o](const std::vector<Array>& in) { return attention_definition(in, o); };
  c.f32 = {4e-6, 8e-6};
  // Weights and the gradients of logits are rounded to bf16 before the products with them.
  c.bf16 = {2e-2, 4e-2};
  op_cases().add("row_attention: " + name, c);
}

bool register_all() {
  for (const auto& [name, rule] :
       std::vector<std::pair<std::string, RowRule>>{{"power", RowRule::power},
                                                    {"relu", RowRule::relu},
                                                    {"relu2", RowRule::relu2},
                                                    {"sigmoid", RowRule::sigmoid},
                                                    {"laplace", RowRule::laplace},
                                                    {"exp", RowRule::exp},
                                                    {"softmax", RowRule::softmax},
                                                    {"sparsemax", RowRule::sparsemax},
                                                    {"entmax15", RowRule::entmax15},
                                                    {"softpick", RowRule::softpick}}) {
    RowAttentionOptions o;
    o.weights = {.rule = rule, .degree = 3, .factor = 0.7F};
    o.scale = 0.6F;
    o.shift = rule == RowRule::exp ? -5.0F : 0.1F;
    o.keys = {7};
    add(name, 7, 7, o);
    o.causal = true;
    o.keys = {5, 3};
    add(name + ", causal, each head its keys", 7, 8, o);
  }
  RowAttentionOptions o;
  o.scale = 0.6F;
  for (const bool causal : {false, true}) {
    const std::string suffix = causal ? ", causal" : "";
    o.causal = causal;
    o.keys = {5};
    add("bias by distance" + suffix, 7, 6, o, {{.name = "bias", .shape = {15}, .wide = true}});
    add("bias of running sums" + suffix, 7, 6, o,
        {{.name = "bias", .shape = {H, 8}, .wide = true}});
    add("bias by pair" + suffix, 6, 7, o, {{.name = "bias", .shape = {H, 6, 7}}});
    add("f32 bias by pair" + suffix, 6, 7, o, {{.name = "bias", .shape = {H, 8, 9}, .wide = true}});
    add("bias by pair that padding exceeds" + suffix, 7, 8, o,
        {{.name = "bias", .shape = {H, 5, 5}}});
    o.keys = {0};
    add("no keys" + suffix, 3, 2, o, {{.name = "bias", .shape = {H, 3, 3}}});
  }
  return true;
}
const bool kRegistered = register_all();

std::vector<Input> inputs(std::int64_t n, std::int64_t m) {
  return {{"q", uniform({H, n, D}, 1, -1, 1)},
          {"k", uniform({H, m, D}, 2, -1, 1)},
          {"v", uniform({H, m, Dv}, 3, -1, 1)}};
}

}  // namespace

TEST_CASE("row_attention: dropout is the definition's with its mask, from the key alone",
          "[unit]") {
  const std::int64_t n = 7;
  const std::int64_t m = 6;
  for (const bool causal : {false, true}) {
    const RowAttentionOptions o = dropping(5, causal);
    const std::vector<Input> in = inputs(n, m);
    const auto run = [&](const RowAttentionOptions& options) {
      return row_attention(Value(in[0].tensor), Value(in[1].tensor), Value(in[2].tensor), {},
                           options)
          .tensor();
    };
    const Array expected = attention_definition(
        {to_array(in[0].tensor), to_array(in[1].tensor), to_array(in[2].tensor)}, o);
    CHECK(error(to_array(run(o)).values, expected.values, 1) < 4e-6);
    RowAttentionOptions other = o;
    other.key = RandomKey(4);
    CHECK(identical(run(o), run(o)));
    CHECK(!identical(run(o), run(other)));
    const Errors errors = check_differences(
        [o](const std::vector<Value>& x) { return row_attention(x[0], x[1], x[2], {}, o); }, in);
    INFO(errors.worst);
    CHECK(errors.gradient < 2e-3);
  }
}

TEST_CASE("row_attention: operands that do not fit are shape errors", "[unit]") {
  RowAttentionOptions o;
  const auto run = [&o](std::int64_t keys, const Shape& bias) {
    o.keys = {keys};
    const std::vector<Input> in = inputs(6, 7);
    return row_attention(Value(in[0].tensor), Value(in[1].tensor), Value(in[2].tensor),
                         Value(uniform(bias, 4, -1, 1)), o);
  };
  CHECK_NOTHROW(run(7, {13}));
  CHECK_NOTHROW(run(5, {H, 5, 5}));
  CHECK_THROWS_AS(run(8, {15}), Error);
  CHECK_THROWS_AS(run(7, {11}), Error);
  CHECK_THROWS_AS(run(7, {14}), Error);
  CHECK_THROWS_AS(run(6, {H, 5, 5}), Error);
  CHECK_THROWS_AS(run(5, {H + 1, 7, 7}), Error);
  CHECK_NOTHROW(run(5, {H, 7}));
  CHECK_THROWS_AS(run(5, {H, 6}), Error);
  CHECK_THROWS_AS(run(5, {7, 7}), Error);
}

}  // namespace lra::engine::testing

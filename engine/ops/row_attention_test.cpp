#include "engine/ops/row_attention.h"

#include <algorithm>
#include <cmath>

#include "engine/kernels.h"
#include "engine/testing.h"
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
    const Array q = to_array(in[0].tensor);
    const Array k = to_array(in[1].tensor);
    const Array v = to_array(in[2].tensor);
    Array expected(Shape{H, n, Dv});
    for (std::int64_t h = 0; h < H; ++h) {
      const Tensor factors = Tensor::full({std::min(n, kTile), m}, 1);
      kernels::dropout(factors, factors, o.dropout, o.key.of(static_cast<std::uint64_t>(h)).of(0));
      for (std::int64_t i = 0; i < n; ++i) {
        const std::int64_t end = causal ? std::min<std::int64_t>(5, i + 1) : 5;
        double total = 0;
        std::vector<double> w;
        for (std::int64_t j = 0; j < end; ++j) {
          double s = 0;
          for (std::int64_t d = 0; d < D; ++d) s += q.at({h, i, d}) * k.at({h, j, d});
          total += w.emplace_back(std::exp(double{o.scale} * s));
        }
        for (std::int64_t j = 0; j < end; ++j) {
          const double weight =
              w[static_cast<std::size_t>(j)] / total * double{factors.f32()[i * m + j]};
          for (std::int64_t d = 0; d < Dv; ++d) expected.at({h, i, d}) += weight * v.at({h, j, d});
        }
      }
    }
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

}  // namespace lra::engine::testing

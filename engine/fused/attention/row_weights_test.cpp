#include "engine/fused/attention/row_weights.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// Logits around `level` whose weights differ.
std::vector<float> logits(float level) {
  std::vector<float> s;
  s.reserve(37);
  for (int j = 0; j < 37; ++j) s.push_back(level + std::sin(static_cast<float>(j)) * 3.0F);
  return s;
}

}  // namespace

TEST_CASE("row weights: softmax rebuilt for the backward pass is exact at any level", "[unit]") {
  for (const float factor : {1.0F, 0.5F}) {
    for (const float level : {0.0F, 10.0F, 300.0F, 3000.0F, -3000.0F, 1e6F}) {
      INFO("level " << level << ", factor " << factor);
      const RowWeights rule{RowRule::softmax, 1, factor};
      std::vector<float> forward = logits(level);
      const auto n = static_cast<std::int64_t>(forward.size());
      float state = 0;
      kernels::row_weights(rule, forward.data(), n, state);
      std::vector<float> rebuilt = logits(level);
      std::vector<float> gradient(forward.size(), 0.0F);
      gradient[1] = 1.0F;
      kernels::row_weights_backward(rule, rebuilt.data(), gradient.data(), n, state);
      double worst = 0;
      double sum = 0;
      double total = 0;
      for (std::size_t j = 0; j < forward.size(); ++j) {
        worst = std::max(worst, std::abs(double{rebuilt[j]} - double{forward[j]}));
        sum += rebuilt[j];
        total += gradient[j];
      }
      CHECK(worst <= 1e-6);
      CHECK(sum == lra::testing::Approx(factor).epsilon(2e-6));
      CHECK(std::abs(total) <= 1e-6);  // a shift of all logits changes nothing
    }
  }
}

}  // namespace lra::engine::testing

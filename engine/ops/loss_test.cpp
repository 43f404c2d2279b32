#include "engine/ops/loss.h"

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using lra::testing::Approx;
using lra::testing::ContainsSubstring;

using Labels = std::vector<std::int32_t>;

void add(const std::string& name, std::int64_t K, const Labels& labels, float scale, double range) {
  OpCase c;
  const auto rows = static_cast<std::int64_t>(labels.size());
  c.inputs = {{"logits", {rows, K}, -range, range}};
  c.op = [=](const std::vector<Value>& in) { return cross_entropy(in[0], labels, scale); };
  c.definition = [=](const std::vector<Array>& in) {
    Array loss(Shape{1});
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int32_t label = labels[static_cast<std::size_t>(i)];
      if (label == kIgnoredLabel) continue;
      double top = -1e300;
      for (std::int64_t j = 0; j < K; ++j) top = std::max(top, in[0].at({i, j}));
      double sum = 0;
      for (std::int64_t j = 0; j < K; ++j) sum += std::exp(in[0].at({i, j}) - top);
      loss.values[0] += scale * (top + std::log(sum) - in[0].at({i, label}));
    }
    return loss;
  };
  c.f32 = {2e-6, 4e-6};
  c.bf16 = {0, 0};  // logits are always f32
  op_cases().add("cross_entropy: " + name, c);
}

bool register_all() {
  add("five rows", 3, {0, 2, 1, 1, 0}, 1, 3);
  add("scaled", 10, {9, 0, 4}, 1.0F / 3, 3);
  add("one row", 2, {1}, 1, 3);
  add("one class", 1, {0, 0}, 1, 3);
  add("ignored rows", 3, {kIgnoredLabel, 2, kIgnoredLabel, 0}, 0.5F, 3);
  add("only ignored rows", 3, {kIgnoredLabel, kIgnoredLabel}, 1, 3);
  add("no rows", 3, {}, 1, 3);
  add("large logits", 5, {3, 1, 0}, 1, 60);
  return true;
}
const bool kRegistered = register_all();

}  // namespace

TEST_CASE("cross_entropy: equal logits cost log K, logits of thousands stay finite", "[unit]") {
  const Value equal(Tensor::full({2, 4}, 7.0F));
  CHECK(cross_entropy(equal, Labels{1, 3}, 0.5F).tensor().to_floats()[0] == Approx(std::log(4.0)));
  Tape tape;
  const Value huge = tape.leaf(Tensor::from({1, 3}, std::vector<float>{9000, -9000, 0}));
  const Value loss = cross_entropy(huge, Labels{1}, 1);
  tape.backward(loss);
  CHECK(loss.tensor().to_floats()[0] == 18000);
  CHECK(huge.gradient()->value().to_floats() == std::vector<float>{1, -1, 0});
}

TEST_CASE("cross_entropy: labels and logits that do not fit are shape errors", "[unit]") {
  const Value logits(uniform({2, 3}, 1, -1, 1));
  CHECK_THROWS_WITH(cross_entropy(logits, Labels{0, 3}, 1), ContainsSubstring("3"));
  CHECK_THROWS_AS(cross_entropy(logits, Labels{0, -1}, 1), Error);
  CHECK_THROWS_AS(cross_entropy(logits, Labels{0}, 1), Error);
  CHECK_THROWS_AS(cross_entropy(Value(uniform({2, 3}, 1, -1, 1, DType::bf16)), Labels{0, 1}, 1),
                  Error);
  CHECK_THROWS_AS(cross_entropy(Value(uniform({2, 3, 1}, 1, -1, 1)), Labels{0, 1}, 1), Error);
  CHECK_THROWS_AS(cross_entropy(Value(uniform({2}, 1, -1, 1)), Labels{0, 1}, 1), Error);
}

}  // namespace lra::engine::testing

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "engine/ops/arithmetic.h"
#include "engine/ops/matmul.h"
#include "engine/ops/shape.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// Uses of the three parts of x [6, 4] in which gradients of the parts are written, added to and
// left out. `f` computes an entry of the result from x and the entry's row (0 or 1) and column.
void add_split(const std::string& name, const std::function<Value(const Value&)>& op,
               const std::function<double(const Array&, std::int64_t, std::int64_t)>& f) {
  OpCase c;
  c.inputs = {{"x", {6, 4}}};
  c.op = [op](const std::vector<Value>& in) { return op(in[0]); };
  c.definition = [f](const std::vector<Array>& in) {
    Array y(Shape{2, 4});
    for_each_index(y.shape, [&](const Index& i) { y.at(i) = f(in[0], i[0], i[1]); });
    return y;
  };
  op_cases().add("split: " + name, c);
}

bool register_split() {
  const auto a = [](const Array& x, std::int64_t i, std::int64_t j) { return x.at({i, j}); };
  const auto b = [](const Array& x, std::int64_t i, std::int64_t j) { return x.at({i + 2, j}); };
  const auto c = [](const Array& x, std::int64_t i, std::int64_t j) { return x.at({i + 4, j}); };
  add_split(
      "all parts",
      [](const Value& x) {
        const auto p = split(x, 3);
        return p[0] * p[1] - p[2];
      },
      [=](auto& x, auto i, auto j) { return a(x, i, j) * b(x, i, j) - c(x, i, j); });
  add_split(
      "the middle part alone", [](const Value& x) { return split(x, 3)[1]; }, b);
  add_split(
      "the first part left out",
      [](const Value& x) {
        const auto p = split(x, 3);
        return p[2] + p[1];
      },
      [=](auto& x, auto i, auto j) { return b(x, i, j) + c(x, i, j); });
  add_split(
      "a part thrice",
      [](const Value& x) {
        const auto p = split(x, 3);
        return p[1] * p[1] + p[1];
      },
      [=](auto& x, auto i, auto j) { return b(x, i, j) * b(x, i, j) + b(x, i, j); });
  add_split(
      "parts and the whole",
      [](const Value& x) {
        const auto p = split(x, 3);
        return p[0] + slice(x, 0, 2, 2) * p[1];
      },
      [=](auto& x, auto i, auto j) { return a(x, i, j) + b(x, i, j) * b(x, i, j); });
  add_split(
      "two splits of one value", [](const Value& x) { return split(x, 3)[0] * split(x, 3)[1]; },
      [=](auto& x, auto i, auto j) { return a(x, i, j) * b(x, i, j); });
  add_split(
      "parts of a part",
      [](const Value& x) {
        const auto p = split(x, 3);
        const auto rows = split(p[1], 2);
        return concat({rows[1], rows[0]}, 0) * p[0] + p[1];
      },
      [=](auto& x, auto i, auto j) { return b(x, 1 - i, j) * a(x, i, j) + b(x, i, j); });
  add_split(
      "products write and add the parts' gradients",
      [](const Value& x) {
        const auto p = split(x, 3);
        return matmul(matmul(p[0], p[1], {.transpose_b = true}), p[1]);
      },
      [=](const Array& x, std::int64_t i, std::int64_t j) {
        double sum = 0;
        for (std::int64_t r = 0; r < 2; ++r) {
          for (std::int64_t k = 0; k < 4; ++k) sum += a(x, i, k) * b(x, r, k) * b(x, r, j);
        }
        return sum;
      });
  return true;
}

const bool kSplitRegistered = register_split();

}  // namespace

TEST_CASE("split: without any use of the parts the whole has no gradient", "[unit]") {
  Tape tape;
  const Value x = tape.leaf(uniform({6, 4}, 1, -1, 1));
  const Value y = tape.leaf(uniform({6, 4}, 2, -1, 1));
  const std::vector<Value> parts = split(x, 3);
  tape.backward(y + y);
  CHECK(!x.gradient()->value().defined());
}

}  // namespace lra::engine::testing

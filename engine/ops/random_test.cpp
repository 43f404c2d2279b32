#include "engine/ops/random.h"

#include <cmath>

#include "engine/base/error.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

const RandomKey kKey = RandomKey(5).of("dropout test");

// The mask is read off a tensor of ones: what the operation does with it is what is defined here.
bool register_all() {
  for (const double p : {0.0, 0.1, 0.5, 0.9}) {
    for (const Shape& shape : {Shape{2, 3, 5}, Shape{1}, Shape{0, 4}, Shape{3, 200}}) {
      OpCase c;
      c.inputs = {{"x", shape}};
      c.op = [p](const std::vector<Value>& in) { return dropout(in[0], p, kKey); };
      c.definition = [p](const std::vector<Array>& in) {
        Array y = in[0];
        const Value ones(Tensor::full(y.shape, 1.0F));
        const std::vector<float> kept = dropout(ones, p, kKey).tensor().to_floats();
        const double keep = 1 - std::round(p * 65536) / 65536;
        for (std::size_t i = 0; i < kept.size(); ++i) {
          y.values[i] = kept[i] == 0 ? 0 : y.values[i] / keep;
        }
        return y;
      };
      op_cases().add("dropout: p " + std::to_string(p) + " of " + shape.text(), c);
    }
  }
  return true;
}
const bool kRegistered = register_all();

}  // namespace

TEST_CASE("dropout: a probability below 0 or from 1 on is an error", "[unit]") {
  const Value x(Tensor::full({3}, 1));
  for (const double p : {-0.1, 1.0, 1.5, std::nan("")}) {
    CHECK_THROWS_AS(dropout(x, p, kKey), Error);
  }
}

TEST_CASE("dropout: p = 0 is the value itself", "[unit]") {
  Tape tape;
  const Value x = tape.leaf(uniform({3, 5}, 1, -1, 1));
  CHECK(dropout(x, 0, kKey).gradient() == x.gradient());
}

}  // namespace lra::engine::testing

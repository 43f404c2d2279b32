#include "engine/tape/tape.h"

#include <functional>

#include "engine/base/error.h"
#include "engine/ops.h"
#include "engine/tensor/memory.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

Tensor numbers(const std::vector<float>& values, DType dtype = DType::f32) {
  return Tensor::from({static_cast<std::int64_t>(values.size())}, values, dtype);
}

std::vector<float> gradient(const Value& value) { return value.gradient()->value().to_floats(); }

// Peak bytes while `run` works, beyond those that live before it.
std::int64_t peak_of(const std::function<void()>& run) {
  const auto meter = std::make_shared<MemoryMeter>();
  const MemoryScope scope(meter);
  run();
  return meter->peak_bytes();
}

constexpr std::int64_t kBytes = 4096;  // of the tensors whose number is counted below
Tensor block() { return uniform({kBytes / 4}, 1, 0.5, 1); }

}  // namespace

TEST_CASE("tape: without one, and for constants, nothing is recorded", "[unit]") {
  CHECK(Tape::current() == nullptr);
  const Value a(numbers({1, 2}));
  CHECK((a * a + a).gradient() == nullptr);
  Tape tape;
  CHECK(Tape::current() == &tape);
  CHECK((a * a + a).gradient() == nullptr);
  CHECK(tape.leaf(numbers({1})).gradient() != nullptr);
  CHECK_NOTHROW(tape.backward(a * a));  // a result without a gradient: nothing to do
}

TEST_CASE("tape: leaves of an ended tape are constants to operations without one", "[unit]") {
  Value x;
  {
    Tape tape;
    x = tape.leaf(numbers({1, 2}));
  }
  CHECK(Tape::current() == nullptr);
  CHECK((x * x).gradient() == nullptr);
}

TEST_CASE("tape: a gradient that two values took over is not changed in place", "[unit]") {
  Tape tape;
  const Value a = tape.leaf(numbers({1, 2}));
  const Value b = tape.leaf(numbers({3, 4}));
  const Value c = tape.leaf(numbers({5, 6}));
  // Backwards: a, b and c take over the sum's gradient; then each gets something else added.
  const Value first = a * 10.0F + b * 100.0F + c * 1000.0F;
  const Value second = (a + b) + c;
  tape.backward({{first, numbers({1, 1})}, {second, numbers({1, 2})}});
  CHECK(gradient(a) == std::vector<float>{11, 12});
  CHECK(gradient(b) == std::vector<float>{101, 102});
  CHECK(gradient(c) == std::vector<float>{1001, 1002});
}

TEST_CASE("tape: a value is used by itself, twice in one operation and in a residual", "[unit]") {
  Tape tape;
  const Value x = tape.leaf(numbers({2, 3}));
  const Value y = x + x;        // 2 x
  const Value z = y * y + y;    // 4 x^2 + 2 x
  const Value w = (z - z) + z;  // z
  tape.backward(w);
  CHECK(gradient(x) == std::vector<float>{18, 26});
}

TEST_CASE("tape: several outputs, of which one is an input of another", "[unit]") {
  Tape tape;
  const Value x = tape.leaf(numbers({2, 3}));
  const Value y = x * x;
  const Value z = y * 3.0F;
  tape.backward({{z, numbers({1, 1})}, {y, numbers({10, 10})}, {x, numbers({0.5F, 0.25F})}});
  CHECK(gradient(x) == std::vector<float>{13 * 4 + 0.5F, 13 * 6 + 0.25F});
}

TEST_CASE("tape: results that nothing uses cost no backward", "[unit]") {
  Tape tape;
  const Value x = tape.leaf(numbers({2}));
  int runs = 0;
  const Value unused = Tape::record(numbers({1}), {&x}, [&runs](const Tensor&) { ++runs; });
  const Value used = Tape::record(numbers({1}), {&x}, [&runs](const Tensor&) { runs += 10; });
  tape.backward(used + used);
  CHECK(runs == 10);  // once, with the sum
  CHECK(unused.gradient()->value().defined() == false);
}

TEST_CASE("tape: rules run in reverse order and are forgotten", "[unit]") {
  Tape tape;
  const Value x = tape.leaf(numbers({1}));
  std::vector<int> order;
  Value y = x;
  for (int i = 0; i < 3; ++i) {
    const Gradient before = y.gradient();
    y = Tape::record(numbers({1}), {&y}, [&order, i, before](const Tensor& dy) {
      order.push_back(i);
      before->add(dy);
    });
  }
  tape.backward(y);
  CHECK(order == std::vector<int>{2, 1, 0});
  tape.backward(y);
  CHECK(order.size() == 3);
  CHECK(gradient(x) == std::vector<float>{1});
}

TEST_CASE("tape: the default seed is ones in the output's type", "[unit]") {
  for (const DType type : {DType::f32, DType::bf16}) {
    Tape tape;
    const Value x = tape.leaf(numbers({2, 3}, type));
    tape.backward(x);
    CHECK(gradient(x) == std::vector<float>{1, 1});
    CHECK(x.gradient()->value().dtype() == type);
  }
}

TEST_CASE("tape: nested tapes record apart, an inner one reaches values of the outer", "[unit]") {
  Tape outer;
  const Value x = outer.leaf(numbers({3}));
  const Value y = x * x;
  {
    Tape inner;
    CHECK(Tape::current() == &inner);
    const Value z = inner.leaf(numbers({5}));
    inner.backward(y * z);
    CHECK(gradient(z) == std::vector<float>{9});
    CHECK(gradient(y) == std::vector<float>{5});  // waits for the outer tape
    CHECK(!x.gradient()->value().defined());
  }
  CHECK(Tape::current() == &outer);
  outer.backward(y);
  CHECK(gradient(x) == std::vector<float>{6 * (5 + 1)});
}

TEST_CASE("tape: parameters add into sums of f32, whatever their type and size", "[unit]") {
  for (const std::int64_t n : {3, 5000}) {
    for (const DType type : {DType::f32, DType::bf16}) {
      if (type == DType::bf16 && !bf16_works()) continue;
      const Tensor sum = Tensor::full({n}, 1000);
      for (int step = 1; step <= 2; ++step) {
        Tape tape;
        const Value w = tape.parameter(Tensor::full({n}, 2, type), sum);
        const Value again = tape.parameter(w.tensor(), sum);  // the same one, asked for twice
        tape.backward(w * 0.5F + again * w);
        CHECK(w.gradient()->value().raw() == sum.raw());
        // bf16 has no 1004.5: the sum is f32.
        CHECK(sum.to_floats() == std::vector<float>(static_cast<std::size_t>(n),
                                                    1000 + 4.5F * static_cast<float>(step)));
      }
    }
  }
}

TEST_CASE("gradient: contributions of other types are converted, of other shapes refused",
          "[unit]") {
  if (!bf16_works()) return;
  for (const std::int64_t n : {3, 5000}) {
    GradNode wide({n}, DType::f32);
    wide.add(Tensor::full({n}, 2, DType::bf16));
    CHECK(wide.value().dtype() == DType::f32);
    wide.add(Tensor::full({n}, 0.00390625F, DType::bf16));
    wide.add(Tensor::full({n}, 1));
    CHECK(wide.value().to_floats() == std::vector<float>(static_cast<std::size_t>(n), 3.00390625F));
    GradNode narrow({n}, DType::bf16);
    narrow.add(Tensor::full({n}, 2));
    narrow.add(Tensor::full({n}, 1));
    narrow.add(Tensor::full({n}, 1, DType::bf16));
    CHECK(narrow.value().dtype() == DType::bf16);
    CHECK(narrow.value().to_floats() == std::vector<float>(static_cast<std::size_t>(n), 4));
    CHECK_THROWS_AS(narrow.add(Tensor::full({n + 1}, 1)), Error);
    CHECK_THROWS_AS(narrow.add(Tensor::full({1, n}, 1)), Error);
  }
}

TEST_CASE("gradient: a first contribution is taken over, a target is written once", "[unit]") {
  GradNode node({2}, DType::f32);
  Tensor first = numbers({1, 2});
  const std::byte* place = first.raw();
  node.add(std::move(first));
  CHECK(node.value().raw() == place);
  {
    const GradNode::Target target = node.target();
    CHECK(target.accumulate);
    CHECK(target.tensor.raw() == place);
  }
  const Tensor shared = node.value();
  CHECK(node.target().tensor.raw() != place);  // somebody holds the old one
  CHECK(shared.to_floats() == std::vector<float>{1, 2});
  GradNode fresh({2}, DType::f32);
  CHECK(!fresh.target().accumulate);
  CHECK(fresh.target().accumulate);
}

TEST_CASE("tape: in inference a chain's peak does not grow with its length", "[unit]") {
  const auto chain = [](int length) {
    return peak_of([length] {
      Value x(block());
      for (int i = 0; i < length; ++i) x = tanh(x * x + x);
    });
  };
  CHECK(chain(3) <= 4 * kBytes);
  CHECK(chain(60) == chain(3));
}

TEST_CASE("tape: what no backward rule needs is freed at once", "[unit]") {
  const auto chain = [](int length, const std::function<Value(const Value&)>& op) {
    return peak_of([&] {
      Tape tape;
      Value x = tape.leaf(block());
      for (int i = 0; i < length; ++i) x = op(x);
    });
  };
  const Value constant(block());
  const Value matrix(uniform({64, 64}, 2, -1, 1));
  const auto grows = [&](const std::function<Value(const Value&)>& op) {
    return (chain(40, op) - chain(20, op)) / (20 * kBytes);
  };
  CHECK(grows([&](const Value& x) { return x + constant; }) == 0);
  CHECK(grows([&](const Value& x) { return x - constant; }) == 0);
  CHECK(grows([&](const Value& x) { return x * constant; }) == 0);
  CHECK(grows([&](const Value& x) { return x / constant; }) == 0);
  CHECK(grows([](const Value& x) { return x * 0.5F; }) == 0);
  CHECK(grows([](const Value& x) { return reshape(x, {32, 32}); }) == 0);
  CHECK(grows([](const Value& x) { return dropout(x, 0.5, RandomKey(1)); }) == 0);
  CHECK(grows([](const Value& x) { return permute(reshape(x, {32, 32}), {1, 0}); }) == 0);
  CHECK(grows([](const Value& x) { return cumulative_sum(x, 0); }) == 0);
  CHECK(grows([&](const Value& x) { return matmul(reshape(x, {16, 64}), matrix); }) == 0);
  CHECK(grows([&](const Value& x) { return linear(reshape(x, {16, 64}), matrix, Value()); }) == 0);
  // One tensor per step, as needed by the rule.
  CHECK(grows([](const Value& x) { return tanh(x); }) == 1);
  CHECK(grows([](const Value& x) { return square(x); }) == 1);
  CHECK(grows([](const Value& x) { return softmax(x); }) == 1);
}

TEST_CASE("tape: the backward frees what its rules kept", "[unit]") {
  const auto meter = std::make_shared<MemoryMeter>();
  const MemoryScope scope(meter);
  Tape tape;
  const Value x = tape.leaf(block());
  Value y = x;
  for (int i = 0; i < 20; ++i) y = tanh(y);
  const std::int64_t forward = meter->live_bytes();
  meter->reset_peak();
  tape.backward(y);
  CHECK(meter->peak_bytes() <= forward + 3 * kBytes);
  y = Value();
  CHECK(meter->live_bytes() == 2 * kBytes);  // the leaf and its gradient
}

}  // namespace lra::engine::testing

// A program built on the installed libraries: it computes one attention call with the project's
// variants and with its own, and compares the results with the definitions.

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "attention/attention.h"

int main() {
  using namespace lra::attention;
  constexpr std::int64_t kHeads = 2, kLength = 5, kWidth = 3;
  const Shape shape{kHeads, kLength, kWidth};
  std::vector<float> numbers(static_cast<std::size_t>(shape.numel()));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = std::sin(static_cast<float>(i) * 0.7F);
  }
  Plain plain(shape);
  plain.data.assign(numbers.begin(), numbers.end());
  const Value x(Tensor::from(shape, numbers));

  for (const char* name : {"softmax", "linear", "cosformer", "squared_relu"}) {
    const auto variant = create(name, nlohmann::json::object());
    const Value got = attend(*variant, {x, x, x, kLength, kLength}, Context());
    const Plain expected =
        variant->define({.q = plain, .k = plain, .v = plain, .rows = kLength, .key_rows = kLength});
    double worst = 0;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      worst = std::fmax(worst, std::fabs(got.tensor().to_floats()[i] - expected.data[i]));
    }
    std::printf("%s: largest difference %.1e\n", name, worst);
    if (!(worst < 1e-4)) return 1;
  }
  return 0;
}

#pragma once
// Helpers for tests of differentiable functions: deterministic tensors, plain arrays of doubles for
// definitions, the comparison metric, and the gradient check. Not installed, not part of the
// program, and independent of a test framework: the checks return errors as numbers. A program that
// links it runs oneDNN on one thread.
//
//   const std::vector<Input> inputs{{"x", normal({3, 5}, 1)}, {"w", normal({5, 2}, 2)}};
//   const Errors e = check_definition(
//       [](const std::vector<Value>& in) { return matmul(in[0], in[1]); },
//       [](const std::vector<Array>& in) { return plain_product(in[0], in[1]); }, inputs);
//   INFO(e.worst);
//   CHECK(e.output < 1e-6);
//   CHECK(e.gradient < 1e-6);

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/tape/tape.h"
#include "engine/tensor/tensor.h"

namespace lra::engine::testing {

using Index = std::vector<std::int64_t>;

// A row-major array of doubles.
struct Array {
  explicit Array(const Shape& s) : shape(s), values(static_cast<std::size_t>(s.numel())) {}
  Shape shape;
  std::vector<double> values;

  // The entry at an index. An index of higher rank is aligned at the end, and axes of size 1 are
  // repeated: reading with the result's index broadcasts.
  [[nodiscard]] double at(const Index& index) const { return values[offset(index)]; }
  [[nodiscard]] double& at(const Index& index) { return values[offset(index)]; }

 private:
  [[nodiscard]] std::size_t offset(const Index& index) const;
};
[[nodiscard]] Array to_array(const Tensor& tensor);
[[nodiscard]] Tensor to_tensor(const Array& array, DType dtype = DType::f32);
// Calls f(index) for every index of a shape in row-major order.
void for_each_index(const Shape& shape, const std::function<void(const Index&)>& f);

// Tensors that depend only on shape, seed and range. In bf16 the values are those of f32, rounded.
[[nodiscard]] Tensor uniform(const Shape& shape, std::uint64_t seed, double low, double high,
                             DType dtype = DType::f32);
[[nodiscard]] Tensor normal(const Shape& shape, std::uint64_t seed, double deviation = 1.0,
                            DType dtype = DType::f32);
[[nodiscard]] Tensor cast_tensor(const Tensor& tensor, DType dtype);
// Same shape, type and bits.
[[nodiscard]] bool identical(const Tensor& a, const Tensor& b);
// True if oneDNN supports bf16 on this machine (AVX-512, natively or emulated); otherwise tests in
// bf16 are skipped.
[[nodiscard]] bool bf16_works();

// max |actual - expected| / max(1e-3, scale): the metric of the golden vectors. The scale of an
// output is its largest entry, that of gradients the largest entry of all gradients of the case.
// Infinite if a value is NaN or the sizes differ.
[[nodiscard]] double error(std::span<const double> actual, std::span<const double> expected,
                           double scale);
[[nodiscard]] double largest(std::span<const double> values);

struct Input {
  std::string name;
  Tensor tensor;
  bool differentiable = true;
};
using Function = std::function<Value(const std::vector<Value>&)>;
// The same function in doubles, written from its formula.
using Definition = std::function<Array(const std::vector<Array>&)>;

// A function's result and the gradients of sum(result * upstream); a gradient that is undefined
// was not reached (zero) or not asked for.
struct Differentiated {
  Tensor output;
  std::vector<Tensor> gradients;
};
[[nodiscard]] Differentiated differentiate(const Function& function,
                                           const std::vector<Input>& inputs,
                                           const Tensor& upstream);

// The upstream gradient that the checks use for a result.
[[nodiscard]] Tensor upstream_for(const Shape& shape, DType dtype);

// The definition's result and gradients, the latter by central differences in double (their own
// error is below 1e-8 of the largest gradient for functions of moderate curvature).
struct Defined {
  Array output;
  std::vector<Array> gradients;
};
[[nodiscard]] Defined define(const Definition& definition, const std::vector<Input>& inputs,
                             const Tensor& upstream);

// Errors in the metric above; `worst` names the position of the largest one.
struct Errors {
  double output = 0;
  double gradient = 0;
  std::string worst;
};
[[nodiscard]] Errors compare(const Differentiated& actual, const Defined& expected,
                             const std::vector<Input>& inputs);

// Compares a function's output and all its gradients with its definition. The definition gets the
// inputs' actual values (rounded if bf16), so that only the function's own rounding counts.
[[nodiscard]] Errors check_definition(const Function& function, const Definition& definition,
                                      const std::vector<Input>& inputs);

struct DifferenceOptions {
  double step = 0.01;    // of an input's largest entry; fourth-order differences
  int directions = 8;    // random directions over all inputs at once
  int max_entries = 64;  // an input of at most so many entries is also checked entry by entry
};
// Compares a function's gradients with central differences of the function itself, which must be
// smooth and deterministic and whose differentiable inputs must be f32. An error of about 1e-3 is
// rounding; a wrong rule gives errors of order 1. A direction's error is relative to the root sum
// of squares of its terms, an entry's to the largest gradient of all inputs.
[[nodiscard]] Errors check_differences(const Function& function, const std::vector<Input>& inputs,
                                       const DifferenceOptions& options = {});

}  // namespace lra::engine::testing

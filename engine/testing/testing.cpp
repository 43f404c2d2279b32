#include "engine/testing/testing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "engine/base/random.h"
#include "engine/runtime.h"

namespace lra::engine::testing {
namespace {

// Tests compute like the threads of a run: oneDNN on one thread. Never destroyed, because its
// destructor would use objects that no longer exist at exit.
[[gnu::used]] const WorkerScope* const kWorker = new WorkerScope;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<double> doubles(const Tensor& tensor) {
  const std::vector<float> values = tensor.to_floats();
  return {values.begin(), values.end()};
}

template <class Draw>
Tensor draw(const Shape& shape, std::uint64_t seed, DType dtype, Draw one) {
  RandomStream stream(RandomKey(seed).of("testing"));
  std::vector<float> values(static_cast<std::size_t>(shape.numel()));
  for (float& value : values) value = static_cast<float>(one(stream));
  return Tensor::from(shape, values, dtype);
}

double dot(const Array& a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < b.size(); ++i) sum += a.values[i] * b[i];
  return sum;
}

// The largest entry of all gradients.
double gradient_scale(const std::vector<Array>& gradients) {
  double scale = 0;
  for (const Array& gradient : gradients) scale = std::max(scale, largest(gradient.values));
  return scale;
}

// Keeps the larger error and its position.
void keep_worst(Errors& errors, double& kind, double candidate, const std::string& where) {
  if (candidate > std::max(errors.output, errors.gradient)) errors.worst = where;
  kind = std::max(kind, candidate);
}

std::string describe(const std::string& what, std::span<const double> actual,
                     std::span<const double> expected) {
  if (actual.size() != expected.size()) {
    return fmt::format("{}: {} entries, expected {}", what, actual.size(), expected.size());
  }
  if (actual.empty()) return what + ": no entries";
  std::size_t at = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (std::isnan(actual[i])) {
      at = i;
      break;
    }
    if (std::abs(actual[i] - expected[i]) > std::abs(actual[at] - expected[at])) at = i;
  }
  return fmt::format("{} entry {}: got {}, expected {}", what, at, actual[at], expected[at]);
}

}  // namespace

std::size_t Array::offset(const Index& index) const {
  std::int64_t offset = 0;
  const auto missing = static_cast<std::int64_t>(index.size()) - shape.rank();
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const std::int64_t i = index[static_cast<std::size_t>(axis + missing)];
    offset = offset * shape[axis] + (shape[axis] == 1 ? 0 : i);
  }
  return static_cast<std::size_t>(offset);
}

Array to_array(const Tensor& tensor) {
  Array array(tensor.shape());
  array.values = doubles(tensor);
  return array;
}

Tensor to_tensor(const Array& array, DType dtype) {
  const std::vector<float> values(array.values.begin(), array.values.end());
  return Tensor::from(array.shape, values, dtype);
}

void for_each_index(const Shape& shape, const std::function<void(const Index&)>& f) {
  if (shape.numel() == 0) return;
  Index index(static_cast<std::size_t>(shape.rank()), 0);
  for (int axis = 0; axis >= 0;) {
    f(index);
    for (axis = shape.rank() - 1; axis >= 0; --axis) {
      auto& i = index[static_cast<std::size_t>(axis)];
      if (++i < shape[axis]) break;
      i = 0;
    }
  }
}

Tensor uniform(const Shape& shape, std::uint64_t seed, double low, double high, DType dtype) {
  return draw(shape, seed, dtype,
              [=](RandomStream& stream) { return low + (high - low) * stream.uniform(); });
}

Tensor normal(const Shape& shape, std::uint64_t seed, double deviation, DType dtype) {
  return draw(shape, seed, dtype,
              [=](RandomStream& stream) { return deviation * stream.normal(); });
}

Tensor cast_tensor(const Tensor& tensor, DType dtype) {
  return Tensor::from(tensor.shape(), tensor.to_floats(), dtype);
}

bool identical(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), a.bytes()) == 0;
}

bool bf16_works() { return machine().avx512; }

double largest(std::span<const double> values) {
  double result = 0;
  for (const double value : values) result = std::max(result, std::abs(value));
  return result;
}

double error(std::span<const double> actual, std::span<const double> expected, double scale) {
  if (actual.size() != expected.size()) return kInfinity;
  double worst = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double difference = std::abs(actual[i] - expected[i]);
    if (std::isnan(difference)) return kInfinity;
    worst = std::max(worst, difference);
  }
  return worst / std::max(1e-3, scale);
}

Differentiated differentiate(const Function& function, const std::vector<Input>& inputs,
                             const Tensor& upstream) {
  Tape tape;
  std::vector<Value> values;
  for (const Input& input : inputs) {
    values.push_back(input.differentiable ? tape.leaf(input.tensor) : Value(input.tensor));
  }
  const Value output = function(values);
  tape.backward(output, upstream);
  Differentiated result{output.tensor(), {}};
  for (const Value& value : values) {
    result.gradients.push_back(value.gradient() ? value.gradient()->value() : Tensor());
  }
  return result;
}

Tensor upstream_for(const Shape& shape, DType dtype) { return normal(shape, 4711, 1.0, dtype); }

Defined define(const Definition& definition, const std::vector<Input>& inputs,
               const Tensor& upstream) {
  std::vector<Array> arrays;
  for (const Input& input : inputs) arrays.push_back(to_array(input.tensor));
  const std::vector<double> weights = doubles(upstream);
  Defined result{definition(arrays), {}};
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    Array gradient(inputs[k].tensor.shape());
    for (std::size_t i = 0; inputs[k].differentiable && i < gradient.values.size(); ++i) {
      double& x = arrays[k].values[i];
      const double center = x;
      const double step = 1e-5 * std::max(1.0, std::abs(center));
      x = center + step;
      const double above = dot(definition(arrays), weights);
      x = center - step;
      const double below = dot(definition(arrays), weights);
      x = center;
      gradient.values[i] = (above - below) / (2 * step);
    }
    result.gradients.push_back(std::move(gradient));
  }
  return result;
}

Errors compare(const Differentiated& actual, const Defined& expected,
               const std::vector<Input>& inputs) {
  Errors errors;
  const std::vector<double> output = doubles(actual.output);
  const std::vector<double>& right = expected.output.values;
  if (actual.output.shape() != expected.output.shape) {
    errors.worst = fmt::format("output: shape {}, expected {}", actual.output.shape().text(),
                               expected.output.shape.text());
    errors.output = kInfinity;
    return errors;
  }
  keep_worst(errors, errors.output, error(output, right, largest(right)),
             describe("output", output, right));
  const double scale = gradient_scale(expected.gradients);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (!inputs[k].differentiable) continue;
    const std::vector<double>& want = expected.gradients[k].values;
    const Tensor& gradient = actual.gradients[k];
    const std::vector<double> got =
        gradient.defined() ? doubles(gradient) : std::vector<double>(want.size(), 0.0);
    keep_worst(errors, errors.gradient, error(got, want, scale),
               describe("gradient of " + inputs[k].name, got, want));
  }
  return errors;
}

Errors check_definition(const Function& function, const Definition& definition,
                        const std::vector<Input>& inputs) {
  std::vector<Value> constants;
  for (const Input& input : inputs) constants.emplace_back(input.tensor);
  const Tensor probe = function(constants).tensor();
  const Tensor upstream = upstream_for(probe.shape(), probe.dtype());
  return compare(differentiate(function, inputs, upstream), define(definition, inputs, upstream),
                 inputs);
}

namespace {

// Central differences of a function along directions.
class Differences {
 public:
  Differences(const Function& function, const std::vector<Input>& inputs, double step)
      : function_(function), step_(step) {
    for (const Input& input : inputs) {
      centers_.push_back(input.tensor);
      arrays_.push_back(input.tensor.dtype() == DType::i32 ? Array(Shape{0})
                                                           : to_array(input.tensor));
    }
    const Tensor probe = evaluate(centers_);
    upstream_ = upstream_for(probe.shape(), probe.dtype());
    weights_ = doubles(upstream_);
  }
  [[nodiscard]] const Tensor& upstream() const { return upstream_; }

  // d/dt sum(function(inputs + t direction) * upstream) at 0, of fourth order.
  [[nodiscard]] double along(const std::vector<Array>& direction) const {
    double scale = kInfinity;
    for (std::size_t k = 0; k < direction.size(); ++k) {
      const double size = largest(direction[k].values);
      if (size > 0) scale = std::min(scale, std::max(1e-3, largest(arrays_[k].values)) / size);
    }
    const double t = step_ * scale;
    return (8 * (moved(direction, t) - moved(direction, -t)) -
            (moved(direction, 2 * t) - moved(direction, -2 * t))) /
           (12 * t);
  }

 private:
  [[nodiscard]] Tensor evaluate(const std::vector<Tensor>& tensors) const {
    const std::vector<Value> values(tensors.begin(), tensors.end());
    return function_(values).tensor();
  }
  [[nodiscard]] double moved(const std::vector<Array>& direction, double t) const {
    std::vector<Tensor> tensors = centers_;
    for (std::size_t k = 0; k < direction.size(); ++k) {
      if (direction[k].values.empty()) continue;
      Array array = arrays_[k];
      for (std::size_t i = 0; i < array.values.size(); ++i) {
        array.values[i] += t * direction[k].values[i];
      }
      tensors[k] = to_tensor(array);
    }
    return dot(to_array(evaluate(tensors)), weights_);
  }

  const Function& function_;
  double step_;
  std::vector<Tensor> centers_;
  std::vector<Array> arrays_;
  Tensor upstream_;
  std::vector<double> weights_;
};

// A zero direction for every input.
std::vector<Array> no_direction(std::size_t inputs) {
  return std::vector<Array>(inputs, Array(Shape{0}));
}

}  // namespace

Errors check_differences(const Function& function, const std::vector<Input>& inputs,
                         const DifferenceOptions& options) {
  const Differences differences(function, inputs, options.step);
  const Differentiated result = differentiate(function, inputs, differences.upstream());
  std::vector<Array> gradients;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    gradients.push_back(result.gradients[k].defined() ? to_array(result.gradients[k])
                                                      : Array(inputs[k].tensor.shape()));
  }
  Errors errors;
  for (int n = 0; n < options.directions; ++n) {
    std::vector<Array> direction = no_direction(inputs.size());
    double slope = 0;
    double squares = 0;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      if (!inputs[k].differentiable) continue;
      const double size = std::max(1e-3, largest(to_array(inputs[k].tensor).values));
      const auto seed = 1000 * static_cast<std::uint64_t>(n) + k;
      direction[k] = to_array(normal(inputs[k].tensor.shape(), seed, size));
      for (std::size_t i = 0; i < direction[k].values.size(); ++i) {
        const double term = gradients[k].values[i] * direction[k].values[i];
        slope += term;
        squares += term * term;
      }
    }
    const double found = differences.along(direction);
    const double difference = std::abs(slope - found) / std::max(1e-3, std::sqrt(squares));
    keep_worst(errors, errors.gradient, std::isnan(difference) ? kInfinity : difference,
               fmt::format("direction {}: got {}, expected {}", n, slope, found));
  }
  const double scale = gradient_scale(gradients);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const std::size_t entries = gradients[k].values.size();
    if (!inputs[k].differentiable || entries > static_cast<std::size_t>(options.max_entries)) {
      continue;
    }
    std::vector<double> expected(entries);
    for (std::size_t i = 0; i < entries; ++i) {
      std::vector<Array> direction = no_direction(inputs.size());
      direction[k] = Array(inputs[k].tensor.shape());
      direction[k].values[i] = 1;
      expected[i] = differences.along(direction);
    }
    keep_worst(errors, errors.gradient, error(gradients[k].values, expected, scale),
               describe("gradient of " + inputs[k].name, gradients[k].values, expected));
  }
  return errors;
}

}  // namespace lra::engine::testing

#include "engine/testing/op_cases.h"

#include <algorithm>
#include <utility>

#include "engine/base/random.h"

namespace lra::engine::testing {

Registry<OpCase>& op_cases() {
  static Registry<OpCase> registry("operation case");
  return registry;
}

std::vector<Input> draw_inputs(const std::string& name, const OpCase& op_case, DType dtype) {
  std::vector<Input> inputs;
  for (const Draw& draw : op_case.inputs) {
    const DType type = draw.wide ? DType::f32 : dtype;
    const std::uint64_t seed = RandomKey().of(name).of(draw.name).value();
    inputs.push_back({draw.name,
                      draw.values.empty() ? uniform(draw.shape, seed, draw.low, draw.high, type)
                                          : Tensor::from(draw.shape, draw.values, type),
                      !draw.fixed});
  }
  return inputs;
}

Definition pointwise(std::function<double(double)> f) {
  return [f = std::move(f)](const std::vector<Array>& in) {
    Array result = in[0];
    std::transform(result.values.begin(), result.values.end(), result.values.begin(), f);
    return result;
  };
}

Definition pointwise(std::function<double(double, double)> f) {
  return [f = std::move(f)](const std::vector<Array>& in) {
    Array result(broadcast_shape(in[0].shape, in[1].shape));
    for_each_index(result.shape,
                   [&](const Index& i) { result.at(i) = f(in[0].at(i), in[1].at(i)); });
    return result;
  };
}

Shape broadcast_shape(const Shape& a, const Shape& b) {
  Shape result = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  for (int axis = 1; axis <= shorter.rank(); ++axis) {
    if (result[-axis] == 1) result.set(-axis, shorter[-axis]);
  }
  return result;
}

}  // namespace lra::engine::testing

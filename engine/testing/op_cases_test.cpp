// Every operation against its definition, in every way in which a value can be used.

#include "engine/testing/op_cases.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "engine/ops.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// One case at one type, with the right results.
struct Subject {
  const OpCase& op_case;
  std::vector<Input> inputs;
  Tensor upstream;
  Defined expected;
  Bound bound;
};

Subject make_subject(const std::string& name, const OpCase& op_case, DType dtype) {
  Subject s{op_case,
            draw_inputs(name, op_case, dtype),
            {},
            {Array(Shape{0}), {}},
            dtype == DType::bf16 ? op_case.bf16 : op_case.f32};
  std::vector<Value> constants;
  for (const Input& input : s.inputs) constants.emplace_back(input.tensor);
  const Value output = op_case.op(constants);
  CHECK(output.gradient() == nullptr);  // no tape: nothing is recorded
  s.upstream = upstream_for(output.shape(), output.dtype());
  s.expected = define(op_case.definition, s.inputs, s.upstream);
  return s;
}

void check_errors(const char* use, const Subject& s, const Errors& errors) {
  INFO(use << ": " << errors.worst);
  CHECK(errors.output <= s.bound.output);
  CHECK(errors.gradient <= s.bound.gradient);
}

Defined scaled(const Defined& defined, double factor) {
  Defined result = defined;
  for (Array& gradient : result.gradients) {
    for (double& value : gradient.values) value *= factor;
  }
  return result;
}

std::vector<Value> leaves(Tape& tape, const std::vector<Input>& inputs) {
  std::vector<Value> values;
  values.reserve(inputs.size());
  for (const Input& input : inputs) {
    values.push_back(input.differentiable ? tape.leaf(input.tensor) : Value(input.tensor));
  }
  return values;
}

std::vector<Tensor> gradients_of(const std::vector<Value>& values) {
  std::vector<Tensor> result;
  result.reserve(values.size());
  for (const Value& value : values) {
    result.push_back(value.gradient() ? value.gradient()->value() : Tensor());
  }
  return result;
}

// Gradients summed into f32 tensors that hold something already, as a model's parameters have them.
void check_parameters(const Subject& s) {
  double before = 1e-3;
  for (const Array& gradient : s.expected.gradients) {
    before = std::max(before, largest(gradient.values));
  }
  Tape tape;
  std::vector<Value> values;
  for (const Input& input : s.inputs) {
    const Tensor sum = Tensor::full(input.tensor.shape(), static_cast<float>(before));
    values.push_back(input.differentiable ? tape.parameter(input.tensor, sum)
                                          : Value(input.tensor));
  }
  const Value output = s.op_case.op(values);
  tape.backward(output, s.upstream);
  Differentiated actual{output.tensor(), gradients_of(values)};
  for (Tensor& gradient : actual.gradients) {
    if (!gradient.defined()) continue;
    CHECK(gradient.dtype() == DType::f32);
    Array added = to_array(gradient);
    for (double& value : added.values) value -= static_cast<double>(static_cast<float>(before));
    gradient = to_tensor(added);
  }
  check_errors("summed into parameters", s, compare(actual, s.expected, s.inputs));
}

// Both results of two applications are used: every gradient is a sum of two.
void check_twice(const Subject& s) {
  Tape tape;
  const std::vector<Value> values = leaves(tape, s.inputs);
  const Value first = s.op_case.op(values);
  const Value second = s.op_case.op(values);
  tape.backward({{first, s.upstream}, {second, s.upstream}});
  CHECK(identical(first.tensor(), second.tensor()));
  const Differentiated actual{second.tensor(), gradients_of(values)};
  check_errors("used twice", s, compare(actual, scaled(s.expected, 2), s.inputs));
}

// The result's gradient belongs to another value too (as in a residual), and so does the upstream
// tensor: a rule must not write into either.
void check_shared(const Subject& s) {
  Tape tape;
  const std::vector<Value> values = leaves(tape, s.inputs);
  const Value output = s.op_case.op(values);
  const Tensor zeros = Tensor::zeros(output.shape(), output.dtype());
  const Value before = tape.leaf(zeros);
  const Value after = tape.leaf(zeros);
  const Tensor upstream = s.upstream.clone();
  tape.backward((before + output) + after, upstream);
  CHECK(identical(upstream, s.upstream));
  CHECK(identical(before.gradient()->value(), s.upstream));
  CHECK(identical(after.gradient()->value(), s.upstream));
  const Differentiated actual{output.tensor(), gradients_of(values)};
  check_errors("shared gradient", s, compare(actual, s.expected, s.inputs));
}

// Each input's gradient without the others', which are constants then.
void check_alone(const Subject& s, const Differentiated& together) {
  for (std::size_t k = 0; k < s.inputs.size(); ++k) {
    if (!s.inputs[k].differentiable || !together.gradients[k].defined()) continue;
    std::vector<Input> inputs = s.inputs;
    for (std::size_t i = 0; i < inputs.size(); ++i) inputs[i].differentiable = i == k;
    INFO("gradient of " << inputs[k].name << " alone");
    const Differentiated alone = differentiate(s.op_case.op, inputs, s.upstream);
    REQUIRE(alone.gradients[k].defined());
    CHECK(identical(alone.gradients[k], together.gradients[k]));
  }
}

void check_case(const std::string& name, DType dtype) {
  const OpCase& op_case = op_cases().at(name);
  const Subject s = make_subject(name, op_case, dtype);
  const Differentiated plain = differentiate(op_case.op, s.inputs, s.upstream);
  check_errors("plain", s, compare(plain, s.expected, s.inputs));
  for (std::size_t k = 0; k < s.inputs.size(); ++k) {
    if (plain.gradients[k].defined()) {
      CHECK(plain.gradients[k].dtype() == s.inputs[k].tensor.dtype());
    }
  }
  check_parameters(s);
  check_twice(s);
  check_shared(s);
  check_alone(s, plain);
}

// The name in `[[nodiscard]] Value name(...`, or with another type that has values; else empty.
std::string declared_operation(const std::string& line) {
  for (const std::string prefix : {"[[nodiscard]] Value ", "[[nodiscard]] std::vector<Value> ",
                                   "[[nodiscard]] BlockAttention ", "[[nodiscard]] ShiftedExp "}) {
    if (line.starts_with(prefix)) {
      return line.substr(prefix.size(), line.find('(') - prefix.size());
    }
  }
  return {};
}

}  // namespace

TEST_CASE("operations: results and gradients equal the definitions in f32", "[grad]") {
  for (const std::string& name : op_cases().names()) {
    // What gives bf16 of f32 inputs.
    if (!bf16_works() && name.find("bf16") != std::string::npos) continue;
    INFO(name << " in f32");
    CHECK_NOTHROW(check_case(name, DType::f32));
  }
}

TEST_CASE("operations: results and gradients are near the definitions in bf16", "[grad]") {
  if (!bf16_works()) {
    WARN("skipped: oneDNN has no bf16 on this machine");
    return;
  }
  for (const std::string& name : op_cases().names()) {
    INFO(name << " in bf16");
    if (op_cases().at(name).bf16.gradient > 0) CHECK_NOTHROW(check_case(name, DType::bf16));
  }
}

TEST_CASE("operations: each one that a header declares has a case", "[unit]") {
  std::set<std::string> covered;
  for (const std::string& name : op_cases().names()) covered.insert(name.substr(0, name.find(':')));
  std::size_t declared = 0;
  const std::filesystem::path root(lra::testing::source_dir());
  for (const char* folder : {"ops", "fused"}) {
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(root / "engine" / folder)) {
      if (entry.path().extension() != ".h") continue;
      std::ifstream in(entry.path());
      REQUIRE(in);
      for (std::string line; std::getline(in, line);) {
        const std::string name = declared_operation(line);
        if (name.empty()) continue;
        INFO(entry.path().filename().string() << ": " << name);
        CHECK(covered.count(name) == 1);
        ++declared;
      }
    }
  }
  CHECK(declared > 60);
}

}  // namespace lra::engine::testing

#include "harness/check/golden_file.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "engine/base/error.h"
#include "engine/base/file.h"

namespace lra::harness {
namespace {

using engine::Shape;
using nlohmann::json;

const json& member(const json& object, const char* name, const std::string& where) {
  const auto found = object.find(name);
  if (found == object.end()) fail(ErrorKind::data, "{}: member '{}' is missing", where, name);
  return *found;
}

std::string text(const json& object, const char* name, const std::string& where) {
  const json& value = member(object, name, where);
  if (!value.is_string()) {
    fail(ErrorKind::data, "{}: '{}' is {}, expected a string", where, name, value.dump());
  }
  return value.get<std::string>();
}

Shape read_shape(const json& value, const std::string& where) {
  if (!value.is_array() || value.size() > static_cast<std::size_t>(Shape::kMaxRank)) {
    fail(ErrorKind::data, "{}: shape is {}, expected a list of at most {} sizes", where,
         value.dump(), Shape::kMaxRank);
  }
  constexpr std::int64_t kLargest = 1 << 20;
  std::vector<std::int64_t> dims;
  for (const json& size : value) {
    if (!size.is_number_integer() || size.get<std::int64_t>() < 1 ||
        size.get<std::int64_t>() > kLargest) {
      fail(ErrorKind::data, "{}: shape is {}, expected sizes in [1, {}]", where, value.dump(),
           kLargest);
    }
    dims.push_back(size.get<std::int64_t>());
  }
  return Shape(dims);
}

GoldenTensor read_tensor(const json& value, const std::string& where) {
  if (!value.is_object()) fail(ErrorKind::data, "{}: not a tensor", where);
  GoldenTensor tensor;
  tensor.shape = read_shape(member(value, "shape", where), where);
  const std::string dtype = text(value, "dtype", where);
  if (dtype != "float" && dtype != "int") {
    fail(ErrorKind::data, "{}: dtype is '{}', expected float or int", where, dtype);
  }
  tensor.integer = dtype == "int";
  const json& data = member(value, "data", where);
  if (!data.is_array() || static_cast<std::int64_t>(data.size()) != tensor.shape.numel()) {
    fail(ErrorKind::data, "{}: data has {} numbers, expected {} for shape {}", where, data.size(),
         tensor.shape.numel(), tensor.shape.text());
  }
  tensor.data.reserve(data.size());
  for (const json& number : data) {
    if (!number.is_number() || (tensor.integer && !number.is_number_integer())) {
      fail(ErrorKind::data, "{}: data contains {}, expected {}", where, number.dump(),
           tensor.integer ? "integers" : "numbers");
    }
    tensor.data.push_back(number.get<double>());
  }
  return tensor;
}

// The tensors of a member; absent and null mean none.
GoldenTensors read_tensors(const json& object, const char* name, const std::string& where) {
  GoldenTensors tensors;
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return tensors;
  if (!found->is_object()) fail(ErrorKind::data, "{}: '{}' is not an object", where, name);
  for (const auto& [key, value] : found->items()) {
    tensors.emplace(key, read_tensor(value, fmt::format("{}: {}.{}", where, name, key)));
  }
  return tensors;
}

void read_mask(const json& object, GoldenCase& c, const std::string& where) {
  const auto found = object.find("mask");
  if (found == object.end() || found->is_null()) return;
  const GoldenTensor mask = read_tensor(*found, where + ": mask");
  if (mask.shape.rank() != 2) {
    fail(ErrorKind::data, "{}: mask has shape {}, expected [B, N]", where, mask.shape.text());
  }
  c.masked = true;
  c.mask_columns = mask.shape[1];
  for (std::int64_t b = 0; b < mask.shape[0]; ++b) {
    const std::vector<double> row = mask.slice(b).data;
    const auto end = std::find_if(row.begin(), row.end(), [](double m) { return m != 1; });
    if (std::any_of(end, row.end(), [](double m) { return m != 0; })) {
      fail(ErrorKind::data, "{}: row {} of the mask is not ones followed by zeros", where, b);
    }
    c.lengths.push_back(end - row.begin());
  }
}

// Every tensor of `some` has a namesake of the same shape in `all`.
void require_match(const GoldenTensors& some, const char* some_name, const GoldenTensors& all,
                   const char* all_name, const std::string& where) {
  for (const auto& [name, tensor] : some) {
    const auto found = all.find(name);
    if (found == all.end()) {
      fail(ErrorKind::data, "{}: {}.{} has no counterpart in {}", where, some_name, name, all_name);
    }
    if (found->second.shape != tensor.shape) {
      fail(ErrorKind::data, "{}: {}.{} has shape {}, expected {} as in {}", where, some_name, name,
           tensor.shape.text(), found->second.shape.text(), all_name);
    }
  }
}

GoldenCase read_case(const json& object, const std::string& where) {
  GoldenCase c;
  c.name = text(object, "name", where);
  const std::string here = fmt::format("{}: case {}", where, c.name);
  const json optional = object.value("optional", json(false));
  if (!optional.is_boolean()) {
    fail(ErrorKind::data, "{}: 'optional' is {}, expected true or false", here, optional.dump());
  }
  c.optional = optional.get<bool>();
  c.hyper = object.value("hyper", json::object());
  if (c.hyper.is_null()) c.hyper = json::object();
  if (!c.hyper.is_object()) fail(ErrorKind::data, "{}: 'hyper' is not an object", here);
  c.inputs = read_tensors(object, "inputs", here);
  c.fixed = read_tensors(object, "fixed", here);
  c.expected = read_tensors(object, "expected", here);
  c.grad_out = read_tensors(object, "grad_out", here);
  c.grad = read_tensors(object, "grad", here);
  read_mask(object, c, here);
  if (c.expected.empty()) fail(ErrorKind::data, "{}: 'expected' is empty", here);
  require_match(c.grad_out, "grad_out", c.expected, "expected", here);
  require_match(c.grad, "grad", c.inputs, "inputs", here);
  if (!c.grad_out.empty()) require_match(c.inputs, "inputs", c.grad, "grad", here);
  const json observed = object.value("f32_observed_rel", json());
  if (observed.is_object()) {
    const auto error = [&](const char* name) {
      const json value = observed.value(name, json(0.0));
      if (!value.is_number()) {
        fail(ErrorKind::data, "{}: f32_observed_rel.{} is not a number", here, name);
      }
      return value.get<double>();
    };
    c.f32_output_error = error("out");
    c.f32_gradient_error = error("grad");
  }
  return c;
}

}  // namespace

GoldenTensor GoldenTensor::slice(std::int64_t index) const {
  GoldenTensor part;
  part.shape = Shape(shape.dims().subspan(1));
  part.integer = integer;
  const auto begin = data.begin() + index * part.shape.numel();
  part.data.assign(begin, begin + part.shape.numel());
  return part;
}

engine::Tensor GoldenTensor::tensor(engine::DType dtype) const {
  if (integer) {
    std::vector<std::int32_t> values;
    for (const double x : data) values.push_back(static_cast<std::int32_t>(x));
    return engine::Tensor::from_indices(shape, values);
  }
  const std::vector<float> values(data.begin(), data.end());
  return engine::Tensor::from(shape, values, dtype);
}

GoldenFile read_golden_file(const std::filesystem::path& path) {
  const json root = read_json(path);
  const std::string where = path.string();
  if (!root.is_object()) fail(ErrorKind::data, "{}: not a golden file", where);
  const json& version = member(root, "format_version", where);
  if (version != 1) {
    fail(ErrorKind::data, "{}: format_version is {}, expected 1", where, version.dump());
  }
  GoldenFile file;
  file.path = path;
  file.variant = text(root, "variant", where);
  file.convention = root.contains("convention") ? text(root, "convention", where) : "";
  const json& cases = member(root, "cases", where);
  if (!cases.is_array() || cases.empty()) {
    fail(ErrorKind::data, "{}: 'cases' is not a list with at least one case", where);
  }
  std::set<std::string> names;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const std::string here = fmt::format("{}: cases[{}]", where, i);
    if (!cases[i].is_object()) fail(ErrorKind::data, "{}: not an object", here);
    file.cases.push_back(read_case(cases[i], here));
    if (!names.insert(file.cases.back().name).second) {
      fail(ErrorKind::data, "{}: the name '{}' occurs twice", here, file.cases.back().name);
    }
  }
  return file;
}

}  // namespace lra::harness

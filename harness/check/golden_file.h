#pragma once
// Golden-vector files: inputs, expected outputs and expected gradients of a variant or a building
// block, computed elsewhere in double precision.

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace lra::harness {

// A tensor as in the file: row-major, decimals parsed as double.
struct GoldenTensor {
  engine::Shape shape;
  bool integer = false;
  std::vector<double> data;

  // Entry `index` of the first axis.
  [[nodiscard]] GoldenTensor slice(std::int64_t index) const;
  // As f32 or bf16; integers as i32.
  [[nodiscard]] engine::Tensor tensor(engine::DType dtype) const;
};
using GoldenTensors = std::map<std::string, GoldenTensor>;

struct GoldenCase {
  std::string name;
  bool optional = false;  // a variant need not offer it
  nlohmann::json hyper;   // an object
  GoldenTensors inputs;   // with gradients
  GoldenTensors fixed;    // without
  bool masked = false;
  std::vector<std::int64_t> lengths;  // real tokens of each sequence, if masked
  std::int64_t mask_columns = 0;      // N of the mask
  GoldenTensors expected, grad_out, grad;
  double f32_output_error = 0;  // what plain float32 got elsewhere, in the metric of the file
  double f32_gradient_error = 0;
};

struct GoldenFile {
  std::filesystem::path path;
  std::string variant;
  std::string convention;  // layouts of the file's tensors, in words
  std::vector<GoldenCase> cases;
};

// Throws Error(io) if the file cannot be read and Error(data), naming file and case, if it is not a
// golden file of version 1 or contradicts itself.
[[nodiscard]] GoldenFile read_golden_file(const std::filesystem::path& path);

}  // namespace lra::harness

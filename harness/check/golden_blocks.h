#pragma once
// Helpers shared by the golden cases of building blocks.

#include <string>
#include <string_view>
#include <vector>

#include "harness/check/golden_cases.h"

namespace lra::harness {

// An entry of hyper. Throws Error(data) if it is missing or has another type.
[[nodiscard]] double number(const GoldenCase& c, const char* name);
[[nodiscard]] std::string word(const GoldenCase& c, const char* name);
// The tensor with this name and `rank` axes. Throws Error(data).
const GoldenTensor& required(const GoldenTensors& tensors, std::string_view name, int rank);
[[nodiscard]] std::vector<std::int32_t> integers(const GoldenTensor& tensor);
// Zeros in the shapes of the case's outputs and gradients.
[[nodiscard]] GoldenComputed make_computed(const GoldenCase& c);
// An output of the case. Throws Error(data) if the file expects no output with this name.
[[nodiscard]] GoldenTensor& output(GoldenComputed& computed, const std::string& name);

// Blocks that are parts of the model.
[[nodiscard]] GoldenComputed run_embedding(const GoldenCase& c, engine::DType type);
[[nodiscard]] GoldenComputed run_encoder_layer(const GoldenCase& c, engine::DType type);
[[nodiscard]] GoldenComputed run_pool_head(const GoldenCase& c, engine::DType type);
[[nodiscard]] GoldenComputed run_dual_head(const GoldenCase& c, engine::DType type);
[[nodiscard]] GoldenComputed run_classifier(const GoldenCase& c, engine::DType type);

}  // namespace lra::harness

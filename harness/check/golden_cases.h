#pragma once
// Runners behind check_golden: they compute the cases of golden files with the project's own code.

#include <map>
#include <string>
#include <string_view>

#include "harness/check/golden_file.h"

namespace lra::harness {

// Computed outputs and gradients of a case, with the names and shapes of its file.
struct GoldenComputed {
  GoldenTensors outputs, gradients;
  std::string not_offered;  // why an optional case was not run
  std::string ignored;      // entries of an optional case's hyper without an option
};

// Zeros of the same names and shapes.
[[nodiscard]] GoldenTensors zeros_like(const GoldenTensors& tensors);
// to += the values of `from`, beginning with element `begin`; the layout is the same.
void add_values(const engine::Tensor& from, GoldenTensor& to, std::int64_t begin = 0);

// Runs a case of an attention variant, sequence by sequence. Throws the variant's Error if it
// refuses the case.
[[nodiscard]] GoldenComputed run_attention_case(const GoldenFile& file, const GoldenCase& c,
                                                std::string_view variant, engine::DType type);

// Building blocks by the `variant` of their files.
using BlockRunner = GoldenComputed (*)(const GoldenCase& c, engine::DType type);
[[nodiscard]] const std::map<std::string, BlockRunner, std::less<>>& block_runners();

// Runners of the level `core` by variant: the operation inside a variant that takes the block's
// input.
[[nodiscard]] const std::map<std::string, BlockRunner, std::less<>>& core_runners();

}  // namespace lra::harness

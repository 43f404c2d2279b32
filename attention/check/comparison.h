#pragma once
// What the checks compare results of a variant with, and how.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attention/check/trial.h"

namespace lra::attention {

// Tolerance for other tile sizes or orders of the same sums in f32, at an amplification of 1.
inline constexpr double kSameOperations = 1e-5;

[[nodiscard]] const Traits& traits_of(const std::string& name);

// kSameOperations times the variant's amplification of rounding.
[[nodiscard]] double tolerance_of(const std::string& name);

// The small options and the defaults.
[[nodiscard]] std::vector<nlohmann::json> usual_options(const std::string& name);

// Largest error of all gradients, relative to the largest gradient.
[[nodiscard]] double gradient_error(const Probe& probe, const Tensors& actual, const Probe& other,
                                    const Tensors& expected);

// Error of the real rows of the output, relative to the largest of them.
[[nodiscard]] double output_error(const Probe& probe, const Probe::Result& actual,
                                  const Probe& other, const Probe::Result& expected);

// Whether output and gradients are equal bit for bit.
[[nodiscard]] bool same_bits(const Probe::Result& a, const Probe::Result& b);

}  // namespace lra::attention

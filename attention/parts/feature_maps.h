#pragma once
// Element-wise feature maps phi of linear attentions, by name.

#include <string>
#include <string_view>
#include <vector>

#include "engine/tape/tape.h"

namespace lra::attention {

// relu, elu+1, leaky_relu (slope 0.1), identity, exp, square.
[[nodiscard]] std::vector<std::string> feature_map_names();
[[nodiscard]] engine::Value feature_map(std::string_view name, const engine::Value& x);
[[nodiscard]] double feature_map(std::string_view name, double x);
// True for maps that can be negative.
[[nodiscard]] bool signed_map(std::string_view name);

}  // namespace lra::attention

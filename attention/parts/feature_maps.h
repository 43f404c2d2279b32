#pragma once
// Element-wise feature maps phi of linear attentions.

#include "engine/base/enum_text.h"
#include "engine/tape/tape.h"

namespace lra::attention {

// The slope of leaky_relu is 0.1.
enum class FeatureMap { relu, elu_plus_one, leaky_relu, identity, exp, square };
constexpr auto texts(FeatureMap) {
  return enum_texts("relu", "elu+1", "leaky_relu", "identity", "exp", "square");
}

[[nodiscard]] engine::Value feature_map(FeatureMap map, const engine::Value& x);
[[nodiscard]] double feature_map(FeatureMap map, double x);
// True for maps that can be negative.
[[nodiscard]] bool signed_map(FeatureMap map);

}  // namespace lra::attention

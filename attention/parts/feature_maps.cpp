#include "attention/parts/feature_maps.h"

#include <cmath>

#include "engine/ops/elementwise.h"

namespace lra::attention {
namespace {
constexpr float kLeakySlope = 0.1F;
}

engine::Value feature_map(FeatureMap map, const engine::Value& x) {
  switch (map) {
    case FeatureMap::relu:
      return engine::relu(x);
    case FeatureMap::elu_plus_one:
      return engine::elu_plus_one(x);
    case FeatureMap::leaky_relu:
      return engine::leaky_relu(x, kLeakySlope);
    case FeatureMap::identity:
      break;
    case FeatureMap::exp:
      return engine::exp(x);
    case FeatureMap::square:
      return engine::square(x);
  }
  return x;
}

double feature_map(FeatureMap map, double x) {
  switch (map) {
    case FeatureMap::relu:
      return x > 0 ? x : 0;
    case FeatureMap::elu_plus_one:
      return x > 0 ? x + 1 : std::exp(x);
    case FeatureMap::leaky_relu:
      return x > 0 ? x : double{kLeakySlope} * x;
    case FeatureMap::identity:
      break;
    case FeatureMap::exp:
      return std::exp(x);
    case FeatureMap::square:
      return x * x;
  }
  return x;
}

bool signed_map(FeatureMap map) {
  return map == FeatureMap::leaky_relu || map == FeatureMap::identity;
}

}  // namespace lra::attention

#include "attention/parts/feature_maps.h"

#include <cmath>

#include "engine/base/error.h"
#include "engine/ops/elementwise.h"

namespace lra::attention {
namespace {
constexpr float kLeakySlope = 0.1F;
}

std::vector<std::string> feature_map_names() {
  return {"relu", "elu+1", "leaky_relu", "identity", "exp", "square"};
}

engine::Value feature_map(std::string_view name, const engine::Value& x) {
  if (name == "relu") return engine::relu(x);
  if (name == "elu+1") return engine::elu_plus_one(x);
  if (name == "leaky_relu") return engine::leaky_relu(x, kLeakySlope);
  if (name == "identity") return x;
  if (name == "exp") return engine::exp(x);
  if (name == "square") return engine::square(x);
  throw Error(ErrorKind::config, unknown_name_message("feature map", name, feature_map_names()));
}

double feature_map(std::string_view name, double x) {
  if (name == "relu") return x > 0 ? x : 0;
  if (name == "elu+1") return x > 0 ? x + 1 : std::exp(x);
  if (name == "leaky_relu") return x > 0 ? x : double{kLeakySlope} * x;
  if (name == "identity") return x;
  if (name == "exp") return std::exp(x);
  if (name == "square") return x * x;
  throw Error(ErrorKind::config, unknown_name_message("feature map", name, feature_map_names()));
}

bool signed_map(std::string_view name) { return name == "leaky_relu" || name == "identity"; }

}  // namespace lra::attention

#pragma once
// The length over which blocks, buckets and landmarks are laid out.

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "engine/base/options.h"

namespace lra::attention {

// The real length (then padding changes nothing), or that of the padded tensor, as in published
// codes.
enum class Extent { length, tensor };
constexpr auto texts(Extent) { return enum_texts("length", "tensor"); }

// An option of a variant, under a name of its choice.
class Layout {
 public:
  explicit Layout(std::string name) : name_(std::move(name)) {}
  void option(OptionTable& table) {
    table.choice(name_, extent_,
                 "laid out over the real length, or over the padded tensor as in published codes");
  }
  // Golden files are laid out over the tensor unless they state otherwise.
  [[nodiscard]] nlohmann::json golden(nlohmann::json chosen, const nlohmann::json& hyper) const;
  // The length to lay out, for n real rows of N.
  [[nodiscard]] std::int64_t length(std::int64_t n, std::int64_t N) const {
    return extent_ == Extent::tensor ? N : n;
  }

 private:
  std::string name_;
  Extent extent_ = Extent::length;
};

// x / y, rounded up.
[[nodiscard]] constexpr std::int64_t divide_up(std::int64_t x, std::int64_t y) {
  return (x + y - 1) / y;
}

}  // namespace lra::attention

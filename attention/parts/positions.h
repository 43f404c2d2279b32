#pragma once
// Functions of a token's position.

#include "attention/attention.h"
#include "engine/fused/features/rotary.h"

namespace lra::attention {

struct Angles {
  engine::Tensor sin, cos;  // [rows] f32
};

// sin and cos of pi/2 i/M for positions i = 1..length, computed in double, and 0 for the rows of
// padding from `length` on. The thread caches the last tables, because all layers of a sequence use
// the same.
[[nodiscard]] Angles angles(std::int64_t rows, std::int64_t length, double M);

// Optional rotary positions: the features (2m, 2m + 1) of token t are turned by
// t 10000^(-2m/D).
class OptionalRotary {
 public:
  // The option `rotary`.
  void options(OptionTable& table, const char* help) { table.flag("rotary", on_, help); }
  void build(const Dimensions& d);
  // x [H, N, D], turned if the option is on.
  [[nodiscard]] Value turned(const Value& x) const {
    return on_ ? engine::rotate(x, rotation_) : x;
  }
  // q_i . k_j in double, of turned features if the option is on.
  [[nodiscard]] double product(const Plain& q, const Plain& k, std::int64_t h, std::int64_t i,
                               std::int64_t j) const;

 private:
  bool on_ = false;
  engine::Rotation rotation_;
};

}  // namespace lra::attention

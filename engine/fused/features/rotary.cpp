#include "engine/fused/features/rotary.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/compute/profile.h"

namespace lra::engine {
namespace {

// Appends the pairs of `width` features from `begin`.
void add_pairs(Rotation& r, std::int64_t begin, std::int64_t width, RotaryPairs pairs) {
  for (std::int64_t m = 0; m < width / 2; ++m) {
    const bool interleaved = pairs == RotaryPairs::interleaved;
    r.first.push_back(begin + (interleaved ? 2 * m : m));
    r.second.push_back(begin + (interleaved ? 2 * m + 1 : m + width / 2));
  }
}

void make_tables(Rotation& r, std::int64_t rows) {
  const auto P = static_cast<std::int64_t>(r.first.size());
  r.sin = Tensor({rows, P}, DType::f32);
  r.cos = Tensor({rows, P}, DType::f32);
}

void set_angle(const Rotation& r, std::int64_t row, std::int64_t pair, double angle) {
  const std::int64_t at = row * r.sin.dim(1) + pair;
  r.sin.f32()[at] = static_cast<float>(std::sin(angle));
  r.cos.f32()[at] = static_cast<float>(std::cos(angle));
}

double frequency(std::int64_t m, std::int64_t D, double base) {
  return std::pow(base, -2 * static_cast<double>(m) / static_cast<double>(D));
}

template <class T>
void turn(const Rotation& r, float direction, const T* from, T* to, std::int64_t heads,
          std::int64_t N, std::int64_t D) {
  const auto P = static_cast<std::int64_t>(r.first.size());
  const std::int64_t rows = std::min(N, r.sin.dim(0));
  std::copy_n(from, heads * N * D, to);
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t i = 0; i < rows; ++i) {
      const T* x = from + (h * N + i) * D;
      T* y = to + (h * N + i) * D;
      const float* sin = r.sin.f32() + i * P;
      const float* cos = r.cos.f32() + i * P;
      for (std::int64_t p = 0; p < P; ++p) {
        const std::int64_t a = r.first[static_cast<std::size_t>(p)];
        const std::int64_t b = r.second[static_cast<std::size_t>(p)];
        const auto u = static_cast<float>(x[a]);
        const auto v = static_cast<float>(x[b]);
        y[a] = static_cast<T>(u * cos[p] - direction * v * sin[p]);
        y[b] = static_cast<T>(direction * u * sin[p] + v * cos[p]);
      }
    }
  }
}

// bf16 through f32, whose values the tables are for.
Tensor turned(const Rotation& r, float direction, const Tensor& x) {
  Tensor y(x.shape(), x.dtype());
  const profile::Scope scope("rotary");
  if (x.dtype() == DType::f32) {
    turn(r, direction, x.f32(), y.f32(), x.dim(0), x.dim(1), x.dim(2));
    return y;
  }
  const Tensor wide = Tensor::from(x.shape(), x.to_floats());
  const Tensor result(x.shape(), DType::f32);
  turn(r, direction, wide.f32(), result.f32(), x.dim(0), x.dim(1), x.dim(2));
  std::transform(result.f32(), result.f32() + result.numel(), y.bf16(), to_bfloat16);
  return y;
}

}  // namespace

Rotation rotation(std::int64_t length, std::int64_t D, double base, RotaryPairs pairs) {
  Rotation r;
  add_pairs(r, 0, D, pairs);
  make_tables(r, length);
  for (std::int64_t i = 0; i < length; ++i) {
    for (std::int64_t m = 0; m < D / 2; ++m) {
      set_angle(r, i, m, static_cast<double>(i) * frequency(m, D, base));
    }
  }
  return r;
}

Rotation rotation_2d(std::int64_t side, std::int64_t D, double base, RotaryPairs pairs) {
  if (D % 4 != 0) fail(ErrorKind::shape, "rotation_2d: got {} features, expected 4 m", D);
  Rotation r;
  add_pairs(r, 0, D / 2, pairs);
  add_pairs(r, D / 2, D / 2, pairs);
  make_tables(r, side * side);
  for (std::int64_t i = 0; i < side * side; ++i) {
    for (std::int64_t m = 0; m < D / 4; ++m) {
      const double theta = frequency(m, D / 2, base);
      set_angle(r, i, m, static_cast<double>(i / side) * theta);
      set_angle(r, i, D / 4 + m, static_cast<double>(i % side) * theta);
    }
  }
  return r;
}

Value rotate(const Value& x, const Rotation& rotation) {
  const auto P = static_cast<std::int64_t>(rotation.first.size());
  const auto largest = [](const std::vector<std::int64_t>& features) {
    return features.empty() ? 0 : *std::max_element(features.begin(), features.end());
  };
  if (x.rank() != 3 || rotation.sin.dim(1) != P || rotation.cos.shape() != rotation.sin.shape() ||
      std::max(largest(rotation.first), largest(rotation.second)) >= x.dim(2)) {
    fail(ErrorKind::shape, "rotate: got x {} and tables {} of {} pairs", x.shape().text(),
         rotation.sin.shape().text(), P);
  }
  return Tape::record(
      turned(rotation, 1, x.tensor()), {&x},
      [rotation, gx = x.gradient()](const Tensor& dy) { gx->add(turned(rotation, -1, dy)); });
}

}  // namespace lra::engine

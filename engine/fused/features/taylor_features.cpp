#include "engine/fused/features/taylor_features.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "engine/compute/profile.h"
#include "engine/compute/simd.h"
#include "engine/ops/internal.h"

namespace lra::engine {
namespace {

// Distances 0..D/2 cover all unordered pairs; for even D the last one has each pair twice.
std::int64_t distances(std::int64_t D) { return D / 2 + 1; }

// Factor of the products at a distance: its square times the number of times that a pair occurs is
// scale^2 / 2 for squares and twice that for others.
float pair_factor(std::int64_t distance, std::int64_t D, float scale) {
  const bool squares = distance == 0;
  const bool twice = 2 * distance == D;
  return scale * std::sqrt(squares || twice ? 0.5F : 1.0F);
}

struct Factors {
  float linear = 0;
  std::vector<float> pair;
};
Factors factors(std::int64_t D, float scale) {
  Factors f{std::sqrt(scale), {}};
  for (std::int64_t s = 0; s < distances(D); ++s) f.pair.push_back(pair_factor(s, D, scale));
  return f;
}

inline void store(float* p, float x) { *p = x; }
inline void store(BFloat16* p, float x) { *p = to_bfloat16(x); }

// The features of one row; xx is x twice in a row, [2 D].
template <class T>
inline void features(const float* xx, std::int64_t D, float linear, const float* pair, T* f) {
  store(f, 1.0F);
  ++f;
  for (std::int64_t a = 0; a < D; ++a) store(f + a, linear * xx[a]);
  f += D;
  for (std::int64_t s = 0; s < D / 2 + 1; ++s, f += D) {
    const float c = pair[s];
    const float* other = xx + s;
    for (std::int64_t a = 0; a < D; ++a) store(f + a, c * xx[a] * other[a]);
  }
}
LRA_SIMD void features_f32(const float* xx, std::int64_t D, float linear, const float* pair,
                           float* f) {
  features(xx, D, linear, pair, f);
}
LRA_SIMD void features_bf16(const float* xx, std::int64_t D, float linear, const float* pair,
                            BFloat16* f) {
  features(xx, D, linear, pair, f);
}

// dx [2 D], to be folded: its second half belongs to the first.
template <class T>
inline void slopes(const float* xx, const T* df, std::int64_t D, float linear, const float* pair,
                   float* dx) {
  ++df;
  for (std::int64_t a = 0; a < D; ++a) dx[a] = linear * to_float(df[a]);
  for (std::int64_t a = D; a < 2 * D; ++a) dx[a] = 0;
  df += D;
  for (std::int64_t s = 0; s < D / 2 + 1; ++s, df += D) {
    const float c = pair[s];
    const float* other = xx + s;
    for (std::int64_t a = 0; a < D; ++a) dx[a] += c * to_float(df[a]) * other[a];
    float* to = dx + s;
    for (std::int64_t a = 0; a < D; ++a) to[a] += c * to_float(df[a]) * xx[a];
  }
  for (std::int64_t a = 0; a < D; ++a) dx[a] += dx[D + a];
}
LRA_SIMD void slopes_f32(const float* xx, const float* df, std::int64_t D, float linear,
                         const float* pair, float* dx) {
  slopes(xx, df, D, linear, pair, dx);
}
LRA_SIMD void slopes_bf16(const float* xx, const BFloat16* df, std::int64_t D, float linear,
                          const float* pair, float* dx) {
  slopes(xx, df, D, linear, pair, dx);
}

// Row i of x, twice.
void read_row(const Tensor& x, std::int64_t i, std::vector<float>& xx) {
  const std::int64_t D = x.dim(-1);
  for (std::int64_t a = 0; a < D; ++a) {
    const float v = x.dtype() == DType::bf16 ? to_float(x.bf16()[i * D + a]) : x.f32()[i * D + a];
    xx[static_cast<std::size_t>(a)] = xx[static_cast<std::size_t>(D + a)] = v;
  }
}

Tensor forward(const Tensor& x, float scale) {
  const profile::Scope scope("Taylor features");
  const std::int64_t D = x.dim(-1);
  const std::int64_t M = taylor_feature_count(D);
  Shape shape = x.shape();
  shape.set(-1, M);
  Tensor y = Tensor::zeros(shape, x.dtype());
  const Factors f = factors(D, scale);
  std::vector<float> xx(static_cast<std::size_t>(2 * D));
  for (std::int64_t i = 0; i < x.numel() / D; ++i) {
    read_row(x, i, xx);
    if (x.dtype() == DType::bf16) {
      features_bf16(xx.data(), D, f.linear, f.pair.data(), y.bf16() + i * M);
    } else {
      features_f32(xx.data(), D, f.linear, f.pair.data(), y.f32() + i * M);
    }
  }
  return y;
}

Tensor backward(const Tensor& x, const Tensor& dy, float scale) {
  const profile::Scope scope("Taylor features");
  const std::int64_t D = x.dim(-1);
  const std::int64_t M = dy.dim(-1);
  Tensor dx(x.shape(), x.dtype());
  const Factors f = factors(D, scale);
  std::vector<float> xx(static_cast<std::size_t>(2 * D));
  std::vector<float> d(static_cast<std::size_t>(2 * D));
  for (std::int64_t i = 0; i < x.numel() / D; ++i) {
    read_row(x, i, xx);
    if (x.dtype() == DType::bf16) {
      slopes_bf16(xx.data(), dy.bf16() + i * M, D, f.linear, f.pair.data(), d.data());
      std::transform(d.begin(), d.begin() + D, dx.bf16() + i * D, to_bfloat16);
    } else {
      slopes_f32(xx.data(), dy.f32() + i * M, D, f.linear, f.pair.data(), d.data());
      std::copy(d.begin(), d.begin() + D, dx.f32() + i * D);
    }
  }
  return dx;
}

}  // namespace

std::int64_t taylor_feature_count(std::int64_t D) {
  return (1 + D + D * distances(D) + 15) / 16 * 16;
}

Value taylor_features(const Value& x, float scale) {
  return Tape::record(forward(x.tensor(), scale), {&x},
                      [=, tx = x.tensor(), gx = x.gradient()](const Tensor& dy) {
                        gx->add(backward(tx, dy, scale));
                      });
}

}  // namespace lra::engine

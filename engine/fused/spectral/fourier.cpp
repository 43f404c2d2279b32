#include "engine/fused/spectral/fourier.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "engine/compute/profile.h"
#include "engine/fused/spectral/fft.h"
#include "engine/ops/internal.h"

namespace lra::engine {
namespace {

using primitives::view;

constexpr std::int64_t B = kFftColumns;

// Columns e = first..first+B-1 of x as real parts, those at e + half as imaginary ones; 0 beyond
// the width.
void load(const Tensor& x, std::int64_t n, std::int64_t first, std::int64_t half, FftBlock& z) {
  const std::int64_t E = x.dim(1);
  const std::int64_t reals = std::clamp<std::int64_t>(half - first, 0, B);
  const std::int64_t imaginaries = std::clamp<std::int64_t>(E - half - first, 0, B);
  std::fill_n(z.re.begin(), n * B, 0.0F);
  std::fill_n(z.im.begin(), n * B, 0.0F);
  for (std::int64_t j = 0; j < n; ++j) {
    const float* row = x.f32() + j * E + first;
    std::copy_n(row, reals, z.re.begin() + j * B);
    std::copy_n(row + half, imaginaries, z.im.begin() + j * B);
  }
}

// The transforms X of the two real columns in each z: [Re X | Im X] into f [N, 2 E].
void store(const FftBlock& z, std::int64_t n, std::int64_t first, std::int64_t half,
           const Tensor& f) {
  const std::int64_t E = f.dim(1) / 2;
  const std::int64_t reals = std::clamp<std::int64_t>(half - first, 0, B);
  const std::int64_t imaginaries = std::clamp<std::int64_t>(E - half - first, 0, B);
  for (std::int64_t k = 0; k < n; ++k) {
    const std::int64_t mirror = k == 0 ? 0 : n - k;
    const float* re = z.re.data() + k * B;
    const float* im = z.im.data() + k * B;
    const float* mirror_re = z.re.data() + mirror * B;
    const float* mirror_im = z.im.data() + mirror * B;
    float* real = f.f32() + k * 2 * E + first;
    float* imaginary = real + E;
    for (std::int64_t c = 0; c < reals; ++c) {
      real[c] = 0.5F * (re[c] + mirror_re[c]);
      imaginary[c] = 0.5F * (im[c] - mirror_im[c]);
    }
    for (std::int64_t c = 0; c < imaginaries; ++c) {
      real[half + c] = 0.5F * (im[c] + mirror_im[c]);
      imaginary[half + c] = 0.5F * (mirror_re[c] - re[c]);
    }
  }
}

// [Re F_n x | Im F_n x] over the first n rows, [N, 2 E] f32.
Tensor transform_tokens(const Tensor& x, std::int64_t n) {
  const profile::Scope scope("FFT");
  const std::int64_t E = x.dim(1);
  const std::int64_t half = (E + 1) / 2;
  Tensor f = Tensor::zeros({x.dim(0), 2 * E});
  const auto fft = fft_of_length(n);
  FftBlock z(fft->rows());
  FftBlock scratch(fft->rows());
  for (std::int64_t first = 0; first < half; first += B) {
    load(x, n, first, half, z);
    fft->run(z, scratch);
    store(z, n, first, half, f);
  }
  return f;
}

// [C; S] [2 E, E]: (a + i b)(C - i S) has the real part a C + b S.
Tensor feature_matrix(std::int64_t E) {
  thread_local Tensor kept;
  if (kept.defined() && kept.dim(1) == E) return kept;
  const Tensor m({2 * E, E}, DType::f32);
  for (std::int64_t j = 0; j < E; ++j) {
    for (std::int64_t k = 0; k < E; ++k) {
      const double angle =
          2 * std::numbers::pi * static_cast<double>(j * k % E) / static_cast<double>(E);
      m.f32()[j * E + k] = static_cast<float>(std::cos(angle));
      m.f32()[(E + j) * E + k] = static_cast<float>(std::sin(angle));
    }
  }
  kept = m;
  return m;
}

Tensor mix(const Tensor& x, std::int64_t n) {
  const Tensor f = transform_tokens(ops::cast(x, DType::f32), n);
  const Tensor y(x.shape(), DType::f32);
  primitives::matmul(view(f), view(feature_matrix(x.dim(1))), view(y));
  return ops::cast(y, x.dtype());
}

}  // namespace

Value fourier_mix(const Value& x, std::int64_t n) {
  if (x.rank() != 2 || n < 1 || n > x.dim(0)) {
    fail(ErrorKind::shape, "fourier_mix: got x {} and {} rows, expected [N, E], 1..N",
         x.shape().text(), n);
  }
  return Tape::record(mix(x.tensor(), n), {&x},
                      [n, gx = x.gradient()](const Tensor& dy) { gx->add(mix(dy, n)); });
}

}  // namespace lra::engine

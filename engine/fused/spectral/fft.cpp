#include "engine/fused/spectral/fft.h"

#include <bit>
#include <cmath>
#include <deque>
#include <numbers>

#include "engine/compute/simd.h"

namespace lra::engine {
namespace {

constexpr std::int64_t B = kFftColumns;
constexpr std::size_t kKept = 32;  // lengths

// e^(-2 pi i k / n), with the angle reduced exactly before it is rounded.
std::pair<float, float> root(std::int64_t k, std::int64_t n) {
  const double angle = -2 * std::numbers::pi * static_cast<double>(k % n) / static_cast<double>(n);
  return {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
}

struct Complex {
  const float *re, *im;
};
struct Target {
  float *re, *im;
};

// A step of Stockham's FFT with radix 4: m rows of columns in s interleaved transforms of length l.
// Row q + s (p + r l/4) of x, r = 0..3, go to rows q + s (4p + r) of y. `roots` has m entries.
LRA_SIMD void radix4(Complex x, Target y, std::int64_t l, std::int64_t s, const float* cosine,
                     const float* sine) {
  const std::int64_t quarter = l / 4;
  const std::int64_t run = s * B;
  const std::int64_t part = quarter * run;
  for (std::int64_t p = 0; p < quarter; ++p) {
    const float c1 = cosine[p * s];
    const float s1 = sine[p * s];
    const float c2 = cosine[2 * p * s];
    const float s2 = sine[2 * p * s];
    const float c3 = cosine[3 * p * s];
    const float s3 = sine[3 * p * s];
    const float* __restrict ar = x.re + p * run;
    const float* __restrict ai = x.im + p * run;
    float* __restrict yr = y.re + 4 * p * run;
    float* __restrict yi = y.im + 4 * p * run;
    for (std::int64_t q = 0; q < run; ++q) {
      const float sum_r = ar[q] + ar[q + 2 * part];
      const float sum_i = ai[q] + ai[q + 2 * part];
      const float dif_r = ar[q] - ar[q + 2 * part];
      const float dif_i = ai[q] - ai[q + 2 * part];
      const float odd_sum_r = ar[q + part] + ar[q + 3 * part];
      const float odd_sum_i = ai[q + part] + ai[q + 3 * part];
      const float odd_dif_r = ar[q + part] - ar[q + 3 * part];  // times -i below
      const float odd_dif_i = ai[q + part] - ai[q + 3 * part];
      yr[q] = sum_r + odd_sum_r;
      yi[q] = sum_i + odd_sum_i;
      const float u1_r = dif_r + odd_dif_i;
      const float u1_i = dif_i - odd_dif_r;
      const float u2_r = sum_r - odd_sum_r;
      const float u2_i = sum_i - odd_sum_i;
      const float u3_r = dif_r - odd_dif_i;
      const float u3_i = dif_i + odd_dif_r;
      yr[q + run] = u1_r * c1 - u1_i * s1;
      yi[q + run] = u1_r * s1 + u1_i * c1;
      yr[q + 2 * run] = u2_r * c2 - u2_i * s2;
      yi[q + 2 * run] = u2_r * s2 + u2_i * c2;
      yr[q + 3 * run] = u3_r * c3 - u3_i * s3;
      yi[q + 3 * run] = u3_r * s3 + u3_i * c3;
    }
  }
}

// The last step of an odd power of two: l = 2, no roots.
LRA_SIMD void radix2(Complex x, Target y, std::int64_t s) {
  const std::int64_t run = s * B;
  for (std::int64_t q = 0; q < run; ++q) {
    const float r0 = x.re[q];
    const float i0 = x.im[q];
    const float r1 = x.re[q + run];
    const float i1 = x.im[q + run];
    y.re[q] = r0 + r1;
    y.im[q] = i0 + i1;
    y.re[q + run] = r0 - r1;
    y.im[q + run] = i0 - i1;
  }
}

// x times one complex number per row, conjugated on request (conj(x w)).
LRA_SIMD void multiply_rows(float* re, float* im, const float* wr, const float* wi,
                            std::int64_t rows, bool conjugate) {
  for (std::int64_t j = 0; j < rows; ++j) {
    const float c = wr[j];
    const float s = wi[j];
    for (std::int64_t q = j * B; q < (j + 1) * B; ++q) {
      const float r = re[q] * c - im[q] * s;
      const float i = re[q] * s + im[q] * c;
      re[q] = r;
      im[q] = conjugate ? -i : i;
    }
  }
}

}  // namespace

Fft::Fft(std::int64_t n) : n_(n), m_(1) {
  const bool power = std::has_single_bit(static_cast<std::uint64_t>(n));
  while (m_ < (power ? n : 2 * n - 1)) m_ *= 2;
  for (std::int64_t p = 0; p < m_; ++p) {
    const auto [c, s] = root(p, m_);
    cosine_.push_back(c);
    sine_.push_back(s);
  }
  if (power) return;
  FftBlock filter(m_);
  for (std::int64_t j = 0; j < n; ++j) {
    const auto [c, s] = root(j * j, 2 * n);  // e^(-pi i j^2 / n)
    chirp_re_.push_back(c);
    chirp_im_.push_back(s);
    for (const std::int64_t at : {j, (m_ - j) % m_}) {
      filter.re[static_cast<std::size_t>(at * B)] = c;
      filter.im[static_cast<std::size_t>(at * B)] = -s;
    }
  }
  FftBlock scratch(m_);
  power_of_two(filter, scratch);
  const float scale = 1.0F / static_cast<float>(m_);  // of the inverse transform
  for (std::int64_t k = 0; k < m_; ++k) {
    filter_re_.push_back(filter.re[static_cast<std::size_t>(k * B)] * scale);
    filter_im_.push_back(filter.im[static_cast<std::size_t>(k * B)] * scale);
  }
}

void Fft::power_of_two(FftBlock& x, FftBlock& scratch) const {
  FftBlock* from = &x;
  FftBlock* to = &scratch;
  std::int64_t s = 1;
  for (std::int64_t l = m_; l > 1;) {
    const Complex source{from->re.data(), from->im.data()};
    const Target target{to->re.data(), to->im.data()};
    if (l >= 4) {
      radix4(source, target, l, s, cosine_.data(), sine_.data());
      l /= 4;
      s *= 4;
    } else {
      radix2(source, target, s);
      l /= 2;
      s *= 2;
    }
    std::swap(from, to);
  }
  if (from != &x) {
    x.re.swap(scratch.re);
    x.im.swap(scratch.im);
  }
}

void Fft::run(FftBlock& x, FftBlock& scratch) const {
  if (chirp_re_.empty()) return power_of_two(x, scratch);
  // z_k = w_k sum_j (x_j w_j) conj(w)_(k - j), w_j = e^(-pi i j^2 / n): a convolution, done by
  // transforms of length m; the inverse one by conjugation before and after.
  multiply_rows(x.re.data(), x.im.data(), chirp_re_.data(), chirp_im_.data(), n_, false);
  std::fill(x.re.begin() + n_ * B, x.re.end(), 0.0F);
  std::fill(x.im.begin() + n_ * B, x.im.end(), 0.0F);
  power_of_two(x, scratch);
  multiply_rows(x.re.data(), x.im.data(), filter_re_.data(), filter_im_.data(), m_, true);
  power_of_two(x, scratch);
  for (float& v : x.im) v = -v;
  multiply_rows(x.re.data(), x.im.data(), chirp_re_.data(), chirp_im_.data(), n_, false);
}

std::shared_ptr<const Fft> fft_of_length(std::int64_t n) {
  thread_local std::deque<std::shared_ptr<const Fft>> kept;
  for (const auto& fft : kept) {
    if (fft->length() == n) return fft;
  }
  kept.push_front(std::make_shared<const Fft>(n));
  if (kept.size() > kKept) kept.pop_back();
  return kept.front();
}

}  // namespace lra::engine

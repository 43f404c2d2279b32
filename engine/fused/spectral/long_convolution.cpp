#include "engine/fused/spectral/long_convolution.h"

#include <algorithm>
#include <utility>

#include "engine/compute/profile.h"
#include "engine/compute/simd.h"
#include "engine/fused/spectral/fft.h"
#include "engine/ops/internal.h"

namespace lra::engine {
namespace {

constexpr std::int64_t B = kFftColumns;

// The sizes of a call.
struct Sizes {
  std::int64_t n, E;           // rows, features
  std::int64_t before, after;  // lags of either kernel that meet a token
  std::int64_t points;         // of the transform

  Sizes(const Tensor& x, const Tensor& k, const Tensor& l, std::int64_t rows)
      : n(rows),
        E(x.dim(1)),
        before(std::min(k.dim(0), n)),
        after(l.defined() ? std::min(l.dim(0), n - 1) : 0),
        points(1) {
    while (points < n + std::max(before - 1, after)) points *= 2;
  }
};

// One block of a transform: features first..first+B-1 as real parts and the next B as imaginary
// parts.
struct Columns {
  std::int64_t first, reals, imaginaries;

  Columns(std::int64_t begin, std::int64_t E)
      : first(begin),
        reals(std::min(B, E - begin)),
        imaginaries(std::clamp<std::int64_t>(E - begin - B, 0, B)) {}
};

// Row `row` of t [., E] to row `to` of z.
void read_row(const Tensor& t, std::int64_t row, const Columns& c, FftBlock& z, std::int64_t to) {
  const float* from = t.f32() + row * t.dim(1) + c.first;
  std::copy_n(from, c.reals, z.re.begin() + to * B);
  std::copy_n(from + B, c.imaginaries, z.im.begin() + to * B);
}
void write_row(const FftBlock& z, std::int64_t from, const Columns& c, const Tensor& t,
               std::int64_t row) {
  float* to = t.f32() + row * t.dim(1) + c.first;
  std::copy_n(z.re.begin() + from * B, c.reals, to);
  std::copy_n(z.im.begin() + from * B, c.imaginaries, to + B);
}

// a = a b, or a conj(b), for the transforms of two real columns in each complex one, at the points
// k and -k.
LRA_SIMD void multiply_pair(float* __restrict ar, float* __restrict ai, float* __restrict mr,
                            float* __restrict mi, const float* br, const float* bi, const float* nr,
                            const float* ni, float sign) {
  for (std::int64_t c = 0; c < B; ++c) {
    // a = u + i v with u, v of real columns: 2 u_k = a_k + conj(a_-k), 2 i v_k = a_k - conj(a_-k).
    const float ur = 0.5F * (ar[c] + mr[c]);
    const float ui = 0.5F * (ai[c] - mi[c]);
    const float vr = 0.5F * (ai[c] + mi[c]);
    const float vi = 0.5F * (mr[c] - ar[c]);
    const float pr = 0.5F * (br[c] + nr[c]);
    const float pi = sign * 0.5F * (bi[c] - ni[c]);
    const float qr = 0.5F * (bi[c] + ni[c]);
    const float qi = sign * 0.5F * (nr[c] - br[c]);
    const float xr = ur * pr - ui * pi;
    const float xi = ur * pi + ui * pr;
    const float yr = vr * qr - vi * qi;
    const float yi = vr * qi + vi * qr;
    // x_k + i y_k, and at -k conj(x_k) + i conj(y_k).
    ar[c] = xr - yi;
    ai[c] = xi + yr;
    mr[c] = xr + yi;
    mi[c] = yr - xi;
  }
}

// Transforms of the columns of a call, each within the same scratch memory.
class Transforms {
 public:
  explicit Transforms(const Sizes& s)
      : sizes_(s), fft_(fft_of_length(s.points)), scratch_(fft_->rows()) {}

  [[nodiscard]] FftBlock block() const { return FftBlock(fft_->rows()); }
  // The first n rows of t.
  void rows(const Tensor& t, const Columns& c, FftBlock& z) {
    clear(z);
    for (std::int64_t i = 0; i < sizes_.n; ++i) read_row(t, i, c, z, i);
    fft_->run(z, scratch_);
  }
  // Both kernels, the one of negative lags from the end.
  void kernels(const Tensor& before, const Tensor& after, const Columns& c, FftBlock& z) {
    clear(z);
    for (std::int64_t l = 0; l < sizes_.before; ++l) read_row(before, l, c, z, l);
    for (std::int64_t l = 0; l < sizes_.after; ++l) read_row(after, l, c, z, sizes_.points - 1 - l);
    fft_->run(z, scratch_);
  }
  // a = the inverse transform of a b, or of a conj(b): the forward one with parts exchanged.
  void product(FftBlock& a, const FftBlock& b, bool conjugate) {
    const std::int64_t M = sizes_.points;
    const float sign = conjugate ? -1.0F : 1.0F;
    // Points 0 and M/2 are their own mirrors: computed on copies, of which one is kept.
    for (const std::int64_t k : {std::int64_t{0}, M / 2}) {
      float re[B];
      float im[B];
      std::copy_n(a.re.begin() + k * B, B, re);
      std::copy_n(a.im.begin() + k * B, B, im);
      multiply_pair(a.re.data() + k * B, a.im.data() + k * B, re, im, b.re.data() + k * B,
                    b.im.data() + k * B, b.re.data() + k * B, b.im.data() + k * B, sign);
      if (M == 1) break;
    }
    for (std::int64_t k = 1; k < M / 2; ++k) {
      const std::int64_t m = M - k;
      multiply_pair(a.re.data() + k * B, a.im.data() + k * B, a.re.data() + m * B,
                    a.im.data() + m * B, b.re.data() + k * B, b.im.data() + k * B,
                    b.re.data() + m * B, b.im.data() + m * B, sign);
    }
    a.re.swap(a.im);
    fft_->run(a, scratch_);
    a.re.swap(a.im);
    const float scale = 1.0F / static_cast<float>(M);
    for (float& value : a.re) value *= scale;
    for (float& value : a.im) value *= scale;
  }

 private:
  static void clear(FftBlock& z) {
    std::fill(z.re.begin(), z.re.end(), 0.0F);
    std::fill(z.im.begin(), z.im.end(), 0.0F);
  }

  const Sizes sizes_;
  std::shared_ptr<const Fft> fft_;
  FftBlock scratch_;
};

struct Gradients {
  Tensor x, before, after;
};

Tensor forward(const Tensor& x, const Tensor& before, const Tensor& after, std::int64_t n) {
  const profile::Scope scope("FFT");
  Tensor y = Tensor::zeros(x.shape());
  if (n == 0) return y;
  const Sizes sizes(x, before, after, n);
  Transforms transforms(sizes);
  FftBlock signal = transforms.block();
  FftBlock kernel = transforms.block();
  for (std::int64_t first = 0; first < sizes.E; first += 2 * B) {
    const Columns c(first, sizes.E);
    transforms.rows(x, c, signal);
    transforms.kernels(before, after, c, kernel);
    transforms.product(signal, kernel, false);
    for (std::int64_t i = 0; i < n; ++i) write_row(signal, i, c, y, i);
  }
  return y;
}

Gradients backward(const Tensor& x, const Tensor& before, const Tensor& after, const Tensor& dy,
                   std::int64_t n, bool want_x, bool want_kernel) {
  const profile::Scope scope("FFT");
  Gradients d;
  if (want_x) d.x = Tensor::zeros(x.shape());
  if (want_kernel) d.before = Tensor::zeros(before.shape());
  if (want_kernel && after.defined()) d.after = Tensor::zeros(after.shape());
  if (n == 0) return d;
  const Sizes sizes(x, before, after, n);
  Transforms transforms(sizes);
  FftBlock slope = transforms.block();
  FftBlock other = transforms.block();
  for (std::int64_t first = 0; first < sizes.E; first += 2 * B) {
    const Columns c(first, sizes.E);
    transforms.rows(dy, c, slope);
    FftBlock copy = want_x && want_kernel ? slope : FftBlock(0);
    if (want_x) {
      FftBlock& target = want_kernel ? copy : slope;
      transforms.kernels(before, after, c, other);
      transforms.product(target, other, true);
      for (std::int64_t i = 0; i < n; ++i) write_row(target, i, c, d.x, i);
    }
    if (!want_kernel) continue;
    transforms.rows(x, c, other);
    transforms.product(slope, other, true);
    for (std::int64_t l = 0; l < sizes.before; ++l) write_row(slope, l, c, d.before, l);
    for (std::int64_t l = 0; l < sizes.after; ++l) {
      write_row(slope, sizes.points - 1 - l, c, d.after, l);
    }
  }
  return d;
}

}  // namespace

Value long_convolution(const Value& x, const Value& before, const Value& after, std::int64_t n) {
  const auto kernel = [&](const Value& k) {
    return k.rank() == 2 && k.dim(1) == x.dim(1) && k.dtype() == DType::f32;
  };
  if (x.rank() != 2 || n < 0 || n > x.dim(0) || !kernel(before) ||
      (after.defined() && !kernel(after))) {
    fail(ErrorKind::shape,
         "long_convolution: got x {}, kernels {} {} and {}, {} rows, expected [N, E], [L, E] and "
         "[L', E] in f32",
         x.shape().text(), before.shape().text(), dtype_name(before.dtype()),
         after.defined() ? after.shape().text() : "none", n);
  }
  const Tensor tx = x.tensor();
  const Tensor tk = before.tensor();
  const Tensor tl = after.defined() ? after.tensor() : Tensor();
  Tensor y = ops::cast(forward(ops::cast(tx, DType::f32), tk, tl, n), tx.dtype());
  return Tape::record(std::move(y), {&x, &before, &after},
                      [=, gx = x.gradient(), gk = before.gradient(),
                       gl = after.defined() ? after.gradient() : Gradient()](const Tensor& dy) {
                        Gradients d =
                            backward(ops::cast(tx, DType::f32), tk, tl, ops::cast(dy, DType::f32),
                                     n, gx != nullptr, gk != nullptr || gl != nullptr);
                        if (gx) gx->add(ops::cast(d.x, tx.dtype()));
                        if (gk) gk->add(std::move(d.before));
                        if (gl) gl->add(std::move(d.after));
                      });
}

}  // namespace lra::engine

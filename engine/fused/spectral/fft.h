#pragma once
// A complex FFT of many columns at once. Not installed.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace lra::engine {

// Columns of a block, transformed side by side: one vector register or two.
inline constexpr std::int64_t kFftColumns = 16;

// Complex columns: `rows` x kFftColumns real parts, the same of imaginary parts.
struct FftBlock {
  explicit FftBlock(std::int64_t rows)
      : re(static_cast<std::size_t>(rows * kFftColumns)),
        im(static_cast<std::size_t>(rows * kFftColumns)) {}
  std::vector<float> re, im;
};

// The transform of one length: z_k = sum_j x_j e^(-2 pi i j k / n) for each column.
class Fft {
 public:
  explicit Fft(std::int64_t n);
  [[nodiscard]] std::int64_t length() const { return n_; }
  // Rows that a block needs: at least n.
  [[nodiscard]] std::int64_t rows() const { return m_; }
  // In place on rows 0..n-1; other rows are overwritten. `scratch` is a block of the same size.
  void run(FftBlock& x, FftBlock& scratch) const;

 private:
  void power_of_two(FftBlock& x, FftBlock& scratch) const;

  std::int64_t n_;
  std::int64_t m_;                            // a power of two
  std::vector<float> cosine_, sine_;          // e^(-2 pi i p / m), p < m
  std::vector<float> chirp_re_, chirp_im_;    // e^(-pi i j^2 / n), j < n, if n is no power of two
  std::vector<float> filter_re_, filter_im_;  // transform of the conjugate chirp, over m
};

// The transform of length n, cached per thread with the last few others.
[[nodiscard]] std::shared_ptr<const Fft> fft_of_length(std::int64_t n);

}  // namespace lra::engine

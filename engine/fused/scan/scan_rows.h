#pragma once
// Rows of one head for scans, which copy a few rows at a time into the first-level cache.
// Not installed.

#include <algorithm>
#include <cstdint>

#include "engine/tensor/tensor.h"

namespace lra::engine {

// Columns in the cache are padded to a multiple of this: two registers of AVX2.
inline constexpr std::int64_t kScanPadding = 16;

[[nodiscard]] inline std::int64_t padded_columns(std::int64_t columns) {
  return (columns + kScanPadding - 1) / kScanPadding * kScanPadding;
}

// The rows of one head, [N, C], in memory.
struct HeadRows {
  const Tensor* tensor = nullptr;
  std::int64_t head = 0;

  [[nodiscard]] std::int64_t columns() const { return tensor->dim(2); }
  [[nodiscard]] std::int64_t offset(std::int64_t row) const {
    return (head * tensor->dim(1) + row) * columns();
  }
  // Row `row` in f32.
  void read(std::int64_t row, float* to) const {
    if (tensor->dtype() == DType::bf16) {
      const BFloat16* from = tensor->bf16() + offset(row);
      for (std::int64_t c = 0; c < columns(); ++c) to[c] = to_float(from[c]);
    } else {
      std::copy_n(tensor->f32() + offset(row), columns(), to);
    }
  }
  void write(std::int64_t row, const float* from) const {
    if (tensor->dtype() == DType::bf16) {
      std::transform(from, from + columns(), tensor->bf16() + offset(row), to_bfloat16);
    } else {
      std::copy_n(from, columns(), tensor->f32() + offset(row));
    }
  }
};

// The order of a recurrence over rows 0..n-1.
struct ScanOrder {
  std::int64_t n = 0;
  bool backward = false;  // from the last row to the first
  [[nodiscard]] std::int64_t row(std::int64_t step) const { return backward ? n - 1 - step : step; }
};

}  // namespace lra::engine

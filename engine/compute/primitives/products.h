#pragma once
// The matrix products of a step by their shapes, and the rate of each with operands in cache: the
// upper limit of a step that consists of products. Not installed.

#include <compare>
#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"

namespace lra::engine::primitives {

// c [batch, m, n] = a [batch, m, k] b [batch or 1, k, n].
struct ProductShape {
  std::int64_t batch = 1, m = 1, n = 1, k = 1;
  bool shared_b = false;                            // b has no batch axis
  bool a_transposed = false, b_transposed = false;  // the first of the two axes is the dense one
  DType operands = DType::f32, result = DType::f32;

  [[nodiscard]] std::int64_t flops() const { return 2 * batch * m * n * k; }
  [[nodiscard]] std::int64_t bytes() const;
  auto operator<=>(const ProductShape&) const = default;
};

struct ProductCount {
  ProductShape shape;
  std::int64_t calls = 0;
};

// Starts counting every product of any thread, from zero; or stops counting.
void count_products(bool on);
[[nodiscard]] bool counting_products();
void count_product(const ProductShape& shape);
// The counted products, those with the most operations first.
[[nodiscard]] std::vector<ProductCount> counted_products();

// The same product with the number of batches, then the longest axis halved until the operands take
// at most this many bytes; short axes, on which the rate depends, are kept.
[[nodiscard]] ProductShape fitting(ProductShape shape, std::int64_t bytes);

// Floating-point operations per second of a product on this thread with reused operands: the best
// of several tries of a millisecond, plain, with a bias, and added to the existing result (oneDNN's
// AVX2 product takes twice the time for some shapes when plain).
[[nodiscard]] double measure_product(const ProductShape& shape);

// Bytes per second that this thread reads and writes when copying arrays far larger than the
// caches.
[[nodiscard]] double measure_bandwidth();

// Bytes of this machine's second-level cache; 512 KB where the system does not report it.
[[nodiscard]] std::int64_t level2_bytes();

}  // namespace lra::engine::primitives

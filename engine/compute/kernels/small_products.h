#pragma once
// Products and transpositions of matrices of a few dozen rows and columns that are in the
// first-level cache, where a call to oneDNN costs more than the product. All f32. Not installed.

#include <cstdint>

namespace lra::engine::kernels {

// The nonzero entries a(i, k) of the left factor: all; k <= i; k >= i. The others must be 0: blocks
// of four rows end at their last (first) row.
enum class Part { all, lower, upper };

// c (+)= a b for c [m, n], b [K, n] stored by rows of n, and a(i, k) = a[i * row + k * column].
// m a multiple of 4, n of 16.
struct SmallProduct {
  std::int64_t m = 0, n = 0, K = 0;
  const float* a = nullptr;
  std::int64_t row = 0, column = 0;
  const float* b = nullptr;
  float* c = nullptr;
  bool add = false;
  Part part = Part::all;
};
void small_product(const SmallProduct& product);

// t [C, R] = the transpose of x [R, C]; R and C multiples of 8.
void small_transpose(const float* x, std::int64_t R, std::int64_t C, float* t);

}  // namespace lra::engine::kernels

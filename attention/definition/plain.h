#pragma once
// Plain double-precision arrays for the reference definitions of variants.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace lra::attention {

// A dense row-major array of doubles with one to four axes.
struct Plain {
  engine::Shape shape;
  std::vector<double> data;

  Plain() = default;
  explicit Plain(const engine::Shape& s)
      : shape(s), data(static_cast<std::size_t>(s.numel()), 0.0) {}
  [[nodiscard]] std::int64_t dim(int axis) const { return shape[axis]; }
  // Row i of head h of an array with three axes.
  [[nodiscard]] const double* row(std::int64_t h, std::int64_t i) const {
    return data.data() + (h * shape[1] + i) * shape[2];
  }
  template <class... Index>
  [[nodiscard]] double& operator()(Index... index) {
    return data[offset({static_cast<std::int64_t>(index)...})];
  }
  template <class... Index>
  [[nodiscard]] double operator()(Index... index) const {
    return data[offset({static_cast<std::int64_t>(index)...})];
  }

 private:
  [[nodiscard]] std::size_t offset(std::initializer_list<std::int64_t> index) const {
    std::int64_t at = 0;
    int axis = 0;
    for (const std::int64_t i : index) at = at * shape[axis++] + i;
    return static_cast<std::size_t>(at);
  }
};

// The tensor's values; of [..., N, C] only the first n rows of each.
[[nodiscard]] Plain to_plain(const engine::Tensor& tensor);
[[nodiscard]] Plain first_rows(const engine::Tensor& tensor, std::int64_t n);

// Values that a definition treats as constants, in the order of its calls: recorded by a first
// evaluation, replayed in later ones at shifted inputs.
struct HeldValues {
  std::vector<double> values;
  std::size_t next = 0;
};

// Inputs of a definition: real tokens only.
struct PlainInputs {
  Plain q, k, v;                            // [H, n, D], [H, m, D], [H, m, Dv]
  Plain x;                                  // [n, E] for variants that take the block's input
  std::map<std::string, Plain> parameters;  // by the names given in build()
  std::map<std::string, Plain> draws;       // draws of forward()
  std::int64_t rows = 0;  // N of the tensor that forward() saw, for layouts over it
  std::int64_t key_rows = 0;
  HeldValues* held = nullptr;  // while the definition is differentiated

  // A value that the paper or its code treats as a constant in differentiation.
  [[nodiscard]] double stop_gradient(double value) const {
    if (held == nullptr) return value;
    if (held->next == held->values.size()) held->values.push_back(value);
    return held->values[held->next++];
  }
};

// sum_c a(h, i, c) b(h, j, c), in four independent sums.
[[nodiscard]] inline double dot(const Plain& a, const Plain& b, std::int64_t h, std::int64_t i,
                                std::int64_t j) {
  const double* x = a.row(h, i);
  const double* y = b.row(h, j);
  const std::int64_t D = a.dim(2);
  double sums[4] = {};
  std::int64_t c = 0;
  for (; c + 4 <= D; c += 4) {
    for (std::int64_t s = 0; s < 4; ++s) sums[s] += x[c + s] * y[c + s];
  }
  for (; c < D; ++c) sums[0] += x[c] * y[c];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// o(h, i, :) += w v(h, j, :).
inline void add_scaled(Plain& o, std::int64_t h, std::int64_t i, double w, const Plain& v,
                       std::int64_t j) {
  for (std::int64_t c = 0; c < v.dim(2); ++c) o(h, i, c) += w * v(h, j, c);
}

}  // namespace lra::attention

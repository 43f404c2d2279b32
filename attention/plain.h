#pragma once
// Plain double-precision arrays for the definitions that variants are checked against.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace lra::attention {

// A dense row-major array of doubles with one to four axes.
struct Plain {
  engine::Shape shape;
  std::vector<double> data;

  Plain() = default;
  explicit Plain(const engine::Shape& s)
      : shape(s), data(static_cast<std::size_t>(s.numel()), 0.0) {}
  [[nodiscard]] std::int64_t dim(int axis) const { return shape[axis]; }
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

// What a definition holds constant, in the order of its calls: recorded by a first evaluation,
// given back to later ones at shifted inputs.
struct HeldValues {
  std::vector<double> values;
  std::size_t next = 0;
};

// What a definition is given: real tokens only.
struct PlainInputs {
  Plain q, k, v;                            // [H, n, D], [H, m, D], [H, m, Dv]
  Plain x;                                  // [n, E] for variants that take the block's input
  std::map<std::string, Plain> parameters;  // by the names given in build()
  std::map<std::string, Plain> draws;       // what forward() drew
  std::int64_t rows = 0;  // N of the tensor that forward() saw, for layouts over it
  std::int64_t key_rows = 0;
  HeldValues* held = nullptr;  // while the definition is differentiated

  // A value that the paper or its code takes as a constant when it differentiates.
  [[nodiscard]] double stop_gradient(double value) const {
    if (held == nullptr) return value;
    if (held->next == held->values.size()) held->values.push_back(value);
    return held->values[held->next++];
  }
};

// sum_c a(h, i, c) b(h, j, c).
[[nodiscard]] inline double dot(const Plain& a, const Plain& b, std::int64_t h, std::int64_t i,
                                std::int64_t j) {
  double sum = 0;
  for (std::int64_t c = 0; c < a.dim(2); ++c) sum += a(h, i, c) * b(h, j, c);
  return sum;
}

// o(h, i, :) += w v(h, j, :).
inline void add_scaled(Plain& o, std::int64_t h, std::int64_t i, double w, const Plain& v,
                       std::int64_t j) {
  for (std::int64_t c = 0; c < v.dim(2); ++c) o(h, i, c) += w * v(h, j, c);
}

// e^{s_j} / sum_j e^{s_j}; minus infinity gives 0, and so does every entry if all are.
[[nodiscard]] inline std::vector<double> plain_softmax(std::vector<double> s) {
  double largest = -HUGE_VAL;
  for (const double x : s) largest = std::max(largest, x);
  double sum = 0;
  for (double& x : s) sum += (x = x == -HUGE_VAL ? 0 : std::exp(x - largest));
  for (double& x : s) x = sum > 0 ? x / sum : 0;
  return s;
}

// Softmax attention of q over k and v in which key j counts count(h, i, j) times for query i (0:
// not admissible): o_i = sum_j count_ij e^{s_ij} v_j / sum_j count_ij e^{s_ij}, s_ij = q_i . k_j /
// sqrt(D). A query without keys gets 0.
template <class Count>
[[nodiscard]] Plain plain_attention(const PlainInputs& in, Count count) {
  Plain o({in.q.dim(0), in.q.dim(1), in.v.dim(2)});
  for (std::int64_t h = 0; h < o.dim(0); ++h) {
    for (std::int64_t i = 0; i < o.dim(1); ++i) {
      std::vector<double> s;
      for (std::int64_t j = 0; j < in.k.dim(1); ++j) {
        const double logit = dot(in.q, in.k, h, i, j) / std::sqrt(static_cast<double>(in.q.dim(2)));
        s.push_back(logit + std::log(static_cast<double>(count(h, i, j))));
      }
      const std::vector<double> a = plain_softmax(s);
      for (std::int64_t j = 0; j < in.k.dim(1); ++j) {
        add_scaled(o, h, i, a[static_cast<std::size_t>(j)], in.v, j);
      }
    }
  }
  return o;
}

}  // namespace lra::attention

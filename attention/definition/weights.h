#pragma once
// The attention matrix W of a definition, o_i = sum_j w_ij v_j, row by row: define() sums over it,
// diagnostics measure it, in memory linear in the length.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

#include "attention/definition/plain.h"

namespace lra::attention {

// w_i0, w_i1, ...: as many keys as query i may see by its position.
struct Row {
  std::vector<double> w;
  bool dead = false;  // the sum of the weights was below the floor of their denominator
};

struct Weights {
  Plain q, k;  // [H, n, M], [H, m, M]: the factors of the rows
  std::function<Row(const Plain& q, const Plain& k, std::int64_t h, std::int64_t i)> rule;
  bool features = false;  // q and k are a kernel's phi(q) and phi(k)
  bool whole = true;      // o = W v; false: a norm follows

  // False for a variant without an attention matrix.
  [[nodiscard]] bool defined() const { return static_cast<bool>(rule); }
  [[nodiscard]] Row row(std::int64_t h, std::int64_t i) const { return rule(q, k, h, i); }
};

// W v: [H, n, Dv] for v [H, m, Dv].
[[nodiscard]] Plain weighted_sum(const Weights& weights, const Plain& v);

// The number of the m keys that query i sees.
[[nodiscard]] inline std::int64_t keys_of(std::int64_t i, std::int64_t m, bool causal) {
  return causal ? std::min(i + 1, m) : m;
}

// f(0), ..., f(keys - 1).
template <class F>
[[nodiscard]] std::vector<double> each_key(std::int64_t keys, const F& f) {
  std::vector<double> values(static_cast<std::size_t>(keys));
  for (std::int64_t j = 0; j < keys; ++j) values[static_cast<std::size_t>(j)] = f(j);
  return values;
}

// w / (sum + eps).
[[nodiscard]] Row over_sum(std::vector<double> w, double eps);
// w / (sign(sum) max(|sum|, eps)).
[[nodiscard]] Row over_floored_sum(std::vector<double> w, double eps);

// f of each entry.
template <class F>
[[nodiscard]] Plain mapped(Plain x, const F& f) {
  for (double& value : x.data) value = f(value);
  return x;
}

// e^{s_j} / sum_j e^{s_j}; minus infinity gives 0, and so does every entry if all are.
[[nodiscard]] std::vector<double> plain_softmax(std::vector<double> s);

// Softmax attention in which key j counts count(h, i, j) times for query i (0: not admissible):
// w_ij = count_ij e^{s_ij} / sum_j count_ij e^{s_ij}, s_ij = q_i . k_j / sqrt(D), j <= i if causal.
// A query without keys gets zeros.
template <class Count>
[[nodiscard]] Weights softmax_weights(const Plain& q, const Plain& k, bool causal, Count count) {
  const double scale = 1 / std::sqrt(static_cast<double>(q.dim(2)));
  return {q, k, [=](const Plain& a, const Plain& b, std::int64_t h, std::int64_t i) -> Row {
            return {plain_softmax(each_key(keys_of(i, b.dim(1), causal), [&](std::int64_t j) {
              const auto times = static_cast<double>(count(h, i, j));
              return times > 0 ? dot(a, b, h, i, j) * scale + std::log(times) : -HUGE_VAL;
            }))};
          }};
}

}  // namespace lra::attention

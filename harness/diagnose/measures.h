#pragma once
// Measures of the attention of a head, averaged over rows and examples.

#include <array>
#include <cstddef>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lra::harness::diagnose {

// Concentration, locality and sign refer to p = |w| / sum |w|; their means leave out dead rows.
enum class Field : std::size_t {
  entropy_norm,       // -sum p ln p / ln m over the m keys that the query sees
  n_eff,              // e^entropy, tokens
  n_eff_ratio,        // n_eff / m
  participation,      // 1 / sum p^2, tokens
  max_weight,         //
  top8_mass,          // of the 8 largest
  top64_mass,         //
  local_mass_01,      // of the keys with |i - j| <= 0.01 n / 2
  local_mass_05,      //
  local_mass_10,      //
  local_mass_20,      //
  local_gain_01,      // local mass over that of uniform weights
  local_gain_05,      //
  local_gain_10,      //
  local_gain_20,      //
  mean_distance,      // sum p |i - j| / n
  attention_span,     // sum p |i - j|, tokens: the Long Range Arena's required attention span
  neg_mass,           // sum of |w| where w < 0, over sum |w|
  frobenius,          // of W, estimated from the rows
  fro_over_sqrt_n,    // at most 1 for softmax
  stable_rank,        // frobenius^2 / largest singular value^2
  dead_rows,          // share of rows whose denominator was clamped, or without any weight
  zero_feature_rate,  // share of exact zeros in phi(q) and phi(k)
  grad_max,           // largest |d (sum of +-o) / d (q, k)|, random signs, over the batch and heads
  grad_p99,           // 99th percentile of the same
  softmax_distance,   // total variation between p and softmax(q k^T / sqrt(D)) of the same q, k
  count
};
inline constexpr auto kFields = static_cast<std::size_t>(Field::count);
[[nodiscard]] const char* field_name(Field field);
[[nodiscard]] inline Field field_at(std::size_t index) { return static_cast<Field>(index); }

class Measures {
 public:
  // A value that is not finite counts as not measured.
  void add(Field field, double value, double weight = 1);
  void add(const Measures& other);
  // The mean of the added values, or the largest for grad_max; none if nothing was added.
  [[nodiscard]] std::optional<double> operator[](Field field) const;
  // {name: number or null}.
  [[nodiscard]] nlohmann::json to_json() const;

 private:
  struct Sum {
    double total = 0;
    double weight = 0;
    double largest = -std::numeric_limits<double>::infinity();
  };
  std::array<Sum, kFields> sums_;
};

}  // namespace lra::harness::diagnose

#pragma once
// Statistics of one row of an attention matrix: concentration, locality and sign.

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace lra::harness::diagnose {

// Widths of the local neighbourhood, as shares of the sequence.
inline constexpr std::array kLocalWidths{0.01, 0.05, 0.1, 0.2};

// Statistics of p = |w| / sum |w| over the m keys that the query sees, in a sequence of n tokens.
struct RowStatistics {
  double entropy_norm = 0;   // -sum p ln p / ln m, in [0, 1]
  double n_eff = 0;          // e^(-sum p ln p), tokens
  double participation = 0;  // 1 / sum p^2, tokens
  double max_weight = 0;
  double top8_mass = 0;  // of the 8 largest
  double top64_mass = 0;
  std::array<double, kLocalWidths.size()> local_mass{};  // of the keys with |i - j| <= width n / 2
  std::array<double, kLocalWidths.size()> local_uniform{};  // the same of uniform p
  double span = 0;                                          // sum p |i - j|, tokens
  double neg_mass = 0;                                      // sum of |w| where w < 0, over sum |w|
  double squares = 0;                                       // sum w^2
};

// Row `i` of weights w_0, w_1, ..., at least two, in a sequence of n tokens. Empty for a row that
// is zero or not finite.
[[nodiscard]] std::optional<RowStatistics> row_statistics(std::span<const double> w, std::int64_t i,
                                                          std::int64_t n);

// sum |p - s| / 2 for p = |w| / sum |w| and a distribution s of the same size.
[[nodiscard]] double total_variation(std::span<const double> w, std::span<const double> s);

}  // namespace lra::harness::diagnose

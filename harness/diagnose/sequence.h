#pragma once
// Measures of one sequence.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "harness/diagnose/measures.h"
#include "models/model.h"

namespace lra::harness::diagnose {

inline constexpr std::int64_t kMostOfRank = 2048;

struct SequenceMeasures {
  bool matrix = false;                       // the variant has an attention matrix
  std::vector<std::vector<Measures>> heads;  // [layers][heads]
};

class Probe {
 public:
  Probe(const models::Model& model, std::int64_t rows, std::uint64_t seed);

  // Measures the sequence `ids`; `id` names its random draws. `thorough` adds gradients and, up to
  // kMostOfRank tokens, the stable rank, which needs all rows.
  [[nodiscard]] SequenceMeasures measure(std::span<const std::uint16_t> ids, std::uint64_t id,
                                         bool thorough) const;

 private:
  const models::Model& model_;
  std::int64_t rows_;
  std::uint64_t seed_;
  std::vector<std::map<std::string, attention::Plain>> parameters_;  // of each layer's attention
};

// Adds the measures of every head of one attention call to `heads` [H]: `rows` rows of the matrix
// defined by `weights`, for queries and keys `q`, `k` [H, n, D].
void measure_rows(const attention::Weights& weights, const attention::Plain& q,
                  const attention::Plain& k, std::int64_t rows, std::vector<Measures>& heads);

// The largest singular value of each head's matrix, W x being the attention over values x and W^T y
// its backward, by power iterations from D random columns at once.
[[nodiscard]] std::vector<double> largest_singular_values(const attention::Attention& attention,
                                                          const attention::Heads& x,
                                                          const attention::Context& context,
                                                          RandomKey key);

}  // namespace lra::harness::diagnose

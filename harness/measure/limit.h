#pragma once
// The least time of a step on this machine, from its operations and memory traffic: the roofline of
// Williams, Waterman, Patterson 2009 ("Roofline: An Insightful Visual Performance Model"), with
// the products of this step's own shapes as the ceiling of computing.

#include <cstdint>
#include <vector>

#include "engine/compute/primitives/products.h"
#include "harness/workers/workers.h"

namespace lra::harness {

// Rates of all threads together.
struct MachineRates {
  std::vector<double> products;  // operations per second of each product, operands in cache
  double bandwidth = 0;          // bytes read and written per second
};

struct StepLimit {
  double products = 0;  // seconds that the products take at the rate they reach in cache
  double traffic = 0;   // seconds that the bytes take at the bandwidth
  // At best both overlap completely.
  [[nodiscard]] double seconds() const { return products > traffic ? products : traffic; }
};

// Measures all threads at once, as in a step. Takes some 50 milliseconds per product; products that
// together make up less than 0.5 % of the operations get the mean rate of the others.
[[nodiscard]] MachineRates measure_rates(
    Workers& workers, const std::vector<engine::primitives::ProductCount>& products);

[[nodiscard]] StepLimit step_limit(const std::vector<engine::primitives::ProductCount>& products,
                                   std::int64_t bytes, const MachineRates& rates);

// Lower bound of the bytes that a step of training (or inference) moves between memory and caches:
// weights, gradients of `lanes` lanes and the optimiser's moments once each way; and, where a
// sequence's activations are larger than the second-level cache, those written once and read once.
[[nodiscard]] std::int64_t step_traffic(bool training, std::int64_t parameters, std::int64_t lanes,
                                        std::int64_t sequences, std::int64_t sequence_bytes);

}  // namespace lra::harness

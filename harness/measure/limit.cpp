#include "harness/measure/limit.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>

namespace lra::harness {
namespace {

namespace primitives = engine::primitives;
using primitives::ProductCount;

double operations(const ProductCount& product) {
  return static_cast<double>(product.calls) * static_cast<double>(product.shape.flops());
}

// Sum of the simultaneous measurements of all threads.
double sum_over_threads(Workers& workers, const std::function<double()>& measure) {
  std::vector<double> rates(static_cast<std::size_t>(workers.threads()), 0.0);
  workers.execute([&] {
    tbb::parallel_for(
        std::size_t{0}, rates.size(), std::size_t{1},
        [&](std::size_t thread) {
          const engine::WorkerScope worker(std::make_shared<engine::MemoryMeter>());
          rates[thread] = measure();
        },
        tbb::simple_partitioner{});
  });
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum;
}

}  // namespace

MachineRates measure_rates(Workers& workers, const std::vector<ProductCount>& products) {
  constexpr double kMeasuredShare = 0.995;
  const std::int64_t cache = primitives::level2_bytes() / 2;
  double total = 0;
  for (const ProductCount& product : products) total += operations(product);
  MachineRates rates;
  double covered = 0;
  double seconds = 0;
  for (const ProductCount& product : products) {
    if (covered >= kMeasuredShare * total) {
      rates.products.push_back(covered / seconds);
      continue;
    }
    // Some sizes and addresses of the operands map to the same cache lines and take twice the time;
    // the best of three counts.
    double rate = 0;
    for (const std::int64_t bytes : {cache, cache / 2, cache / 4}) {
      const primitives::ProductShape shape = primitives::fitting(product.shape, bytes);
      rate = std::max(
          rate, sum_over_threads(workers, [&shape] { return primitives::measure_product(shape); }));
    }
    rates.products.push_back(rate);
    covered += operations(product);
    seconds += operations(product) / rates.products.back();
  }
  rates.bandwidth = sum_over_threads(workers, primitives::measure_bandwidth);
  return rates;
}

StepLimit step_limit(const std::vector<ProductCount>& products, std::int64_t bytes,
                     const MachineRates& rates) {
  StepLimit limit;
  for (std::size_t i = 0; i < products.size(); ++i) {
    limit.products += operations(products[i]) / rates.products[i];
  }
  limit.traffic = static_cast<double>(bytes) / rates.bandwidth;
  return limit;
}

std::int64_t step_traffic(bool training, std::int64_t parameters, std::int64_t lanes,
                          std::int64_t sequences, std::int64_t sequence_bytes) {
  constexpr std::int64_t kFloat = 4;
  // Weights and both moments are read and written, gradients read and cleared.
  const std::int64_t once =
      training ? kFloat * parameters * (2 * 3 + 2 * lanes) : kFloat * parameters;
  const bool leaves = training && sequence_bytes > primitives::level2_bytes();
  return once + (leaves ? 2 * sequences * sequence_bytes : 0);
}

}  // namespace lra::harness

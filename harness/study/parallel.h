#pragma once
// Trials on the TBB arena of the caller.

#include <tbb/parallel_for.h>

#include <cstdint>
#include <string>
#include <vector>

namespace lra::harness::study {

// f(0), ..., f(count - 1), in this order for any number of threads.
template <class T, class F>
[[nodiscard]] std::vector<T> parallel_map(std::int64_t count, const F& f) {
  std::vector<T> results(static_cast<std::size_t>(count));
  tbb::parallel_for(std::int64_t{0}, count,
                    [&](std::int64_t i) { results[static_cast<std::size_t>(i)] = f(i); });
  return results;
}

[[nodiscard]] std::vector<std::string> theory_kernels();
[[nodiscard]] std::vector<std::string> noise_kernels();

}  // namespace lra::harness::study

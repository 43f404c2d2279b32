#pragma once
// The bench of a suite: speed and memory of its variants over sequence lengths, measured
// alternately.

#include <filesystem>
#include <vector>

#include "harness/suite/execute.h"
#include "results/record/bench_record.h"

namespace lra::harness {

// Measures the missing points into OUT/bench-ATTENTION-MODE.json, length by length, the variants
// side by side. Returns a record for each variant and mode; a stopped bench lacks lengths, which
// the next call measures. Must be called before this process has started threads.
[[nodiscard]] std::vector<results::BenchRecord> run_suite_bench(const Suite& suite,
                                                                const SuiteOptions& options,
                                                                SuiteObserver& observer);

// The records of an earlier call on any machine; missing ones are left out. Throws Error(data) for
// a damaged record.
[[nodiscard]] std::vector<results::BenchRecord> saved_benches(const Suite& suite,
                                                              const std::filesystem::path& out);

// True if there is a record for each variant and mode with every length of the suite's bench.
[[nodiscard]] bool bench_is_complete(const Suite& suite,
                                     const std::vector<results::BenchRecord>& records);

}  // namespace lra::harness

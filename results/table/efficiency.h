#pragma once
// Speed and memory over sequence lengths beside a baseline's, as in table 2 of the Long-Range Arena
// (arXiv:2011.04006): one row per variant, one column per length.

#include <string>
#include <vector>

#include "results/record/bench_record.h"

namespace lra::results {

// Markdown: for each group of equal conditions (see scaling_groups), steps per second, then peak
// bytes of tensors, each with its ratio to softmax at the same length; then, if measured, the
// reached share of the machine's limit. For a single length: one table, the fastest first, with
// tokens per second, peak bytes, the share of time outside products and the share of the limit.
// Last, one table per length of the predictions for other numbers of cores. Out of memory is named
// and has no ratio; a length that was not measured is "—". `attentions`: the rows, all if empty;
// throws Error(usage) for one without a record.
[[nodiscard]] std::string render_efficiency(const std::vector<BenchRecord>& benches,
                                            const std::vector<std::string>& attentions = {});

}  // namespace lra::results

#pragma once
// Speed and memory over sequence lengths beside a baseline's, as in table 2 of the Long-Range Arena
// (arXiv:2011.04006): a row a variant, a column a length.

#include <string>
#include <vector>

#include "results/record/bench_record.h"

namespace lra::results {

// Markdown: for each group of equal conditions (see scaling_groups) steps a second, then peak bytes
// of tensors, each with its ratio to softmax at the same length; then, where it was measured, the
// share of the machine's limit that is reached. Of one length: one table, the fastest first, with
// tokens a second, peak bytes, the share of time outside products and that of the limit. Last, a
// table a length of what was worked out for other numbers of cores. Out of
// memory is said, and has no ratio; a length that was not measured is "—".
[[nodiscard]] std::string render_efficiency(const std::vector<BenchRecord>& benches);

}  // namespace lra::results

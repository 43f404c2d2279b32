#include "harness/workers/evaluation.h"

#include <chrono>

#include "results/analysis/statistics.h"

namespace lra::harness {

Evaluation evaluate(Workers& workers, const models::Model& model, const tasks::Dataset& data,
                    std::span<const std::size_t> indices, std::int64_t seed) {
  const auto start = std::chrono::steady_clock::now();
  Evaluation e;
  std::vector<results::LabelCluster> clusters;
  for (const Prediction& p :
       workers.predict(model, data, indices, static_cast<std::uint64_t>(seed))) {
    e.loss += double{p.loss};
    e.correct += p.correct;
    e.counted += p.counted;
    clusters.push_back({p.correct, p.counted});
    if (p.correct == p.counted) ++e.exact;
    e.right.push_back(p.correct == p.counted);
    if (p.label >= 0) e.labels.push_back(p.label);
  }
  for (const std::size_t i : indices) e.tokens += token_count(model, data[i]);
  e.examples = static_cast<std::int64_t>(indices.size());
  e.independent = e.counted == e.examples ? e.counted : results::independent_trials(clusters);
  if (e.counted > 0) {
    e.accuracy = static_cast<double>(e.correct) / static_cast<double>(e.counted);
    e.loss /= static_cast<double>(e.counted);
  }
  e.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return e;
}

}  // namespace lra::harness

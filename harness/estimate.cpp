#include "harness/estimate.h"

#include <algorithm>

#include "engine/runtime.h"
#include "harness/bench.h"
#include "tasks/task.h"

namespace lra::harness {
namespace {

// A forward pass is about a third of a training step.
constexpr double kInferenceShare = 1.0 / 3.0;

}  // namespace

Estimate estimate(const RunSpec& spec, int threads) {
  const tasks::TaskInfo info = tasks::create_task(spec.task, spec.task_options)->info();
  const std::int64_t n = std::max<std::int64_t>(1, info.max_length);
  const std::int64_t sequences = info.head == tasks::Head::pair_class ? 2 : 1;
  BenchOptions o;
  o.attention = spec.attention;
  o.attention_options = spec.attention_options;
  o.model = spec.model;
  o.precision = spec.precision;
  o.threads = threads;
  // One sequence a thread is enough: a step runs sequences one after the other.
  o.batch = std::min<std::int64_t>(spec.train.batch_size * sequences,
                                   threads > 0 ? threads : engine::machine().cores);
  o.seconds = 0.05;
  o.min_steps = 1;
  const BenchResult trial = bench_point_isolated(o, n);
  Estimate result;
  if (!trial.point.tokens_per_second || !trial.point.peak_tensor_bytes) return result;
  const auto tokens = static_cast<double>(n * sequences);
  const auto steps = static_cast<double>(spec.train.steps);
  const double evaluations =
      spec.train.eval_every > 0 ? steps / static_cast<double>(spec.train.eval_every) : 1;
  const auto examples = static_cast<double>(spec.train.eval_examples);
  result.seconds = tokens / *trial.point.tokens_per_second *
                   (steps * static_cast<double>(spec.train.batch_size) +
                    kInferenceShare * evaluations * examples);
  result.tensor_bytes = *trial.point.peak_tensor_bytes;
  result.known = true;
  return result;
}

}  // namespace lra::harness

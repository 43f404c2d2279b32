#include "harness/workers/workers.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/base/text.h"
#include "engine/compute/primitives/primitives.h"
#include "engine/compute/profile.h"
#include "engine/runtime.h"

namespace lra::harness {
namespace {

using engine::Tensor;
using engine::Value;

// Index of the largest logit of each row against the labels.
struct Score {
  std::int32_t first = -1;
  std::int32_t correct = 0;
  std::int32_t counted = 0;
};

Score score(const Tensor& logits, std::span<const std::int32_t> labels) {
  Score result;
  const std::int64_t K = logits.dim(1);
  for (std::int64_t i = 0; i < logits.dim(0); ++i) {
    const float* row = logits.f32() + i * K;
    const auto best = static_cast<std::int32_t>(std::max_element(row, row + K) - row);
    if (i == 0) result.first = best;
    const std::int32_t label = labels[static_cast<std::size_t>(i)];
    if (label == engine::kIgnoredLabel) continue;
    ++result.counted;
    result.correct += best == label ? 1 : 0;
  }
  return result;
}

// The labels of an example and, for a label per token, the positions with a label unless all have
// one: the head, costly with many classes, is computed only there.
struct Judged {
  Judged(const models::Model& model, const tasks::Example& example) {
    if (model.task().head != Head::token) {
      labels = {example.label};
      return;
    }
    const auto all = example.token_labels;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i] == engine::kIgnoredLabel) continue;
      places.push_back(static_cast<std::int32_t>(i));
      labels.push_back(all[i]);
    }
    if (labels.empty()) labels.assign(all.begin(), all.end());
    if (places.size() == all.size()) places.clear();
  }
  [[nodiscard]] std::int64_t count() const {
    return static_cast<std::int64_t>(labels.size()) -
           std::count(labels.begin(), labels.end(), engine::kIgnoredLabel);
  }
  std::vector<std::int32_t> places, labels;
};

std::int64_t row_count(const models::Model& model, const tasks::Example& example) {
  return model.encoder_rows(example.tokens) + model.encoder_rows(example.second);
}

// Longest first, each to the lane with the least work: the same for any number of threads.
std::vector<std::vector<std::size_t>> deal(const models::Model& model,
                                           std::span<const tasks::Example> batch,
                                           std::size_t lanes) {
  std::vector<double> cost(batch.size(), 0.0);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    for (const std::span<const tasks::Token> tokens : {batch[i].tokens, batch[i].second}) {
      const auto n = static_cast<double>(model.real_tokens(tokens));
      cost[i] += n + n * n / 4096;
    }
  }
  std::vector<std::size_t> order(batch.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return cost[a] > cost[b]; });
  std::vector<std::vector<std::size_t>> dealt(lanes);
  std::vector<double> load(lanes, 0.0);
  for (const std::size_t i : order) {
    const auto lightest =
        static_cast<std::size_t>(std::min_element(load.begin(), load.end()) - load.begin());
    dealt[lightest].push_back(i);
    load[lightest] += cost[i];
  }
  return dealt;
}

models::Pass make_pass(bool training, RandomKey key, std::uint64_t seed, std::int64_t step) {
  models::Pass pass;
  pass.training = training;
  pass.key = key;
  pass.fixed = RandomKey(seed).of("fixed");
  pass.step = step;
  return pass;
}

}  // namespace

Workers::Workers(int threads)
    : threads_(threads > 0 ? threads : engine::machine().cores),
      arena_(std::make_unique<tbb::task_arena>(threads_)) {
  engine::allow_threads(threads_);
}

Workers::Workers(std::unique_ptr<tbb::task_arena> arena, int threads)
    : threads_(threads), arena_(std::move(arena)) {}

Workers Workers::in_this_arena() {
  return Workers(nullptr, tbb::this_task_arena::max_concurrency());
}

std::int64_t lanes_for(std::int64_t batch_size, std::int64_t length,
                       const models::ModelConfig& model, std::int64_t vocabulary) {
  // Summing a lane costs in proportion to all weights; its tokens are multiplied only by weights
  // outside tables.
  const std::int64_t layer = 4 * model.width * model.qkv_width +
                             (model.feed_forward ? 2 * model.width * model.ff_width : 0);
  const std::int64_t rows =
      vocabulary + (model.positions == models::Positions::learned ? length : 0);
  const double weights = static_cast<double>(model.layers * layer);
  const double all = weights + static_cast<double>(rows * model.width);
  constexpr double kLeastTokens = 256;  // of a lane without tables
  const auto tokens = static_cast<double>(batch_size * length);
  const auto most = static_cast<std::int64_t>(tokens * weights / (all * kLeastTokens));
  std::int64_t lanes = 8;
  while (lanes < 64 && lanes * 2 <= std::min(batch_size, most)) lanes *= 2;
  return lanes;
}

std::int64_t lane_count(std::int64_t asked, std::int64_t parameters) {
  const std::int64_t most_bytes = asked * (std::int64_t{64} << 20);
  std::int64_t lanes = asked;
  while (lanes > 2 && lanes * parameters * 4 > most_bytes) lanes = (lanes + 1) / 2;
  return lanes;
}

models::ModelTask model_task(const tasks::TaskInfo& info) {
  models::ModelTask task;
  task.head = info.head;
  task.classes = info.classes;
  task.vocabulary = info.vocabulary;
  task.max_length = info.max_length;
  task.zero_is_padding = info.zero_is_padding;
  task.pixel_offset = info.pixel_offset;
  return task;
}

std::int64_t token_count(const models::Model& model, const tasks::Example& example) {
  return model.real_tokens(example.tokens) + model.real_tokens(example.second);
}

BatchResult Workers::train(const models::Model& model, std::span<const tasks::Example> batch,
                           std::span<const std::uint64_t> ids, std::int64_t step,
                           std::uint64_t seed, const std::vector<Tensor>& lanes) {
  std::vector<Judged> judged;
  std::int64_t labels = 0;
  for (const auto& example : batch) labels += judged.emplace_back(model, example).count();
  const float scale = 1.0F / static_cast<float>(std::max<std::int64_t>(labels, 1));
  const auto dealt = deal(model, batch, lanes.size());
  const RandomKey key = RandomKey(seed).of("train").of(static_cast<std::uint64_t>(step));
  std::vector<BatchResult> results(lanes.size());
  std::vector<double> seconds(lanes.size());
  const auto run_lane = [&](std::size_t lane) {
    const engine::WorkerScope worker(meter_);
    const engine::ParameterScope parameters(model.parameters(), lanes[lane]);
    BatchResult& result = results[lane];
    const auto start = std::chrono::steady_clock::now();
    const std::int64_t flops = engine::primitives::executed_flops();
    for (const std::size_t i : dealt[lane]) {
      engine::Tape tape;
      const auto& [places, expected] = judged[i];
      const Value logits = model.logits(batch[i].tokens, batch[i].second,
                                        make_pass(true, key.of(ids[i]), seed, step), places);
      const Value loss = engine::cross_entropy(logits, expected, scale);
      const Score s = score(logits.tensor(), expected);
      result.loss += double{loss.tensor().f32()[0]};
      result.correct += s.correct;
      result.counted += s.counted;
      result.tokens += token_count(model, batch[i]);
      result.rows += row_count(model, batch[i]);
      tape.backward(loss);
    }
    result.flops = engine::primitives::executed_flops() - flops;
    seconds[lane] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  enter([&] {
    tbb::parallel_for(std::size_t{0}, lanes.size(), std::size_t{1}, run_lane,
                      tbb::simple_partitioner{});
  });
  BatchResult total;
  total.lane_seconds = std::move(seconds);
  for (const BatchResult& r : results) {
    total.loss += r.loss;
    total.correct += r.correct;
    total.counted += r.counted;
    total.tokens += r.tokens;
    total.rows += r.rows;
    total.flops += r.flops;
  }
  if (!std::isfinite(total.loss)) {
    fail(ErrorKind::numeric, "training: the loss is {} at step {}", number_text(total.loss), step);
  }
  return total;
}

std::vector<Prediction> Workers::predict(const models::Model& model, const tasks::Dataset& data,
                                         std::span<const std::size_t> indices, std::uint64_t seed) {
  std::atomic<std::int64_t> flops{0};
  return predict(model, data, indices, seed, flops);
}

std::int64_t Workers::predict_flops(const models::Model& model, const tasks::Dataset& data,
                                    std::span<const std::size_t> indices) {
  std::atomic<std::int64_t> flops{0};
  predict(model, data, indices, 0, flops);
  return flops.load();
}

std::vector<Prediction> Workers::predict(const models::Model& model, const tasks::Dataset& data,
                                         std::span<const std::size_t> indices, std::uint64_t seed,
                                         std::atomic<std::int64_t>& flops) {
  std::vector<Prediction> predictions(indices.size());
  const RandomKey key = RandomKey(seed).of("evaluation");
  std::atomic<bool> skipped{false};
  const auto run = [&](std::size_t i) {
    if (stopped()) {
      skipped = true;
      return;
    }
    const engine::WorkerScope worker(meter_);
    const engine::ParameterScope parameters(model.parameters(), {});
    const tasks::Example example = data[indices[i]];
    const std::int64_t before = engine::primitives::executed_flops();
    const Judged judged(model, example);
    const Value logits = model.logits(example.tokens, example.second,
                                      make_pass(false, key.of(indices[i]), seed, 0), judged.places);
    const Score s = score(logits.tensor(), judged.labels);
    const bool token_level = model.task().head == Head::token;
    predictions[i] = {token_level ? -1 : s.first,
                      engine::cross_entropy(logits, judged.labels, 1.0F).tensor().f32()[0],
                      s.correct, s.counted};
    flops += engine::primitives::executed_flops() - before;
  };
  enter([&] { tbb::parallel_for(std::size_t{0}, indices.size(), run); });
  if (skipped) throw Interrupted();
  return predictions;
}

}  // namespace lra::harness

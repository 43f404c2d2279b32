// Accuracy and loss of a model whose every answer is known beforehand.

#include "harness/workers/workers.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>
#include <utility>

#include "harness/workers/evaluation.h"
#include "tests/catch.h"

namespace lra::harness {
namespace {

using engine::Tensor;

// Logits of every example, whatever its tokens.
const std::vector<float> kLogits{1, 3, 2};

double loss_of(std::int32_t label) {
  double sum = 0;
  for (const float logit : kLogits) sum += std::exp(double{logit});
  return std::log(sum) - double{kLogits[static_cast<std::size_t>(label)]};
}

class Labelled final : public tasks::Dataset {
 public:
  // Sequences of 2, 3, ... tokens, one a class label.
  explicit Labelled(std::vector<std::int32_t> labels) : labels_(std::move(labels)) {}
  // One sequence for each list of token labels.
  explicit Labelled(std::vector<std::vector<std::int32_t>> token_labels)
      : token_labels_(std::move(token_labels)) {}

  [[nodiscard]] std::size_t size() const override {
    return std::max(labels_.size(), token_labels_.size());
  }
  [[nodiscard]] tasks::Example operator[](std::size_t index) const override {
    if (token_labels_.empty()) return {std::span(tokens_).first(2 + index), {}, labels_[index], {}};
    const auto& labels = token_labels_[index];
    return {std::span(tokens_).first(labels.size()), {}, 0, labels};
  }
  [[nodiscard]] std::vector<tasks::Example> all() const {
    std::vector<tasks::Example> examples;
    for (std::size_t i = 0; i < size(); ++i) examples.push_back((*this)[i]);
    return examples;
  }

 private:
  std::vector<tasks::Token> tokens_ = std::vector<tasks::Token>(64, 1);
  std::vector<std::int32_t> labels_;
  std::vector<std::vector<std::int32_t>> token_labels_;
};

// A model whose head passes on its bias alone.
struct Constant {
  explicit Constant(Head head)
      : model(config(), task(head), "linear", nlohmann::json::object()), workers(2) {
    workers.execute([&] { model.initialise(1, engine::DType::f32); });
    for (const auto& entry : model.parameters().entries()) {
      if (entry.name.rfind("head.out", 0) != 0) continue;
      const bool bias = entry.size == static_cast<std::int64_t>(kLogits.size());
      float* to = model.parameters().master().f32() + entry.offset;
      if (bias) bias_offset = entry.offset;
      for (std::int64_t i = 0; i < entry.size; ++i) {
        to[i] = bias ? kLogits[static_cast<std::size_t>(i)] : 0.0F;
      }
    }
    workers.execute([&] { model.parameters().refresh(); });
  }
  static models::ModelConfig config() {
    models::ModelConfig config;
    config.width = config.qkv_width = config.ff_width = 8;
    config.dropout = 0;
    return config;
  }
  static models::ModelTask task(Head head) {
    models::ModelTask task;
    task.head = head;
    task.classes = static_cast<std::int64_t>(kLogits.size());
    task.vocabulary = 3;
    task.max_length = 64;
    return task;
  }

  models::Model model;
  Workers workers;
  std::int64_t bias_offset = -1;
};

Evaluation evaluate_all(Constant& constant, const tasks::Dataset& data) {
  std::vector<std::size_t> indices(data.size());
  std::iota(indices.begin(), indices.end(), 0);
  return evaluate(constant.workers, constant.model, data, indices, 1);
}

TEST_CASE("evaluation: only the label with the largest logit is right", "[unit]") {
  Constant constant(Head::pooled_class);
  const std::vector<std::int32_t> labels{0, 1, 2, 2, 0, 1, 2};
  const Evaluation e = evaluate_all(constant, Labelled(labels));
  CHECK(e.correct == 2);
  CHECK(e.counted == 7);
  CHECK(e.exact == 2);
  CHECK(e.examples == 7);
  CHECK(e.accuracy == 2.0 / 7);
  CHECK(e.labels == std::vector<std::int32_t>(7, 1));
  CHECK(e.right == std::vector<bool>{false, true, false, false, false, true, false});
  CHECK(e.tokens == 2 + 3 + 4 + 5 + 6 + 7 + 8);
  double loss = 0;
  for (const std::int32_t label : labels) loss += loss_of(label) / 7;
  CHECK(std::abs(e.loss - loss) < 1e-6);
}

TEST_CASE("evaluation: of token labels those that count, and whole sequences", "[unit]") {
  Constant constant(Head::token);
  constexpr std::int32_t kNone = engine::kIgnoredLabel;
  const Evaluation e =
      evaluate_all(constant, Labelled({{1, kNone, 1}, {1, 0, kNone, 1}, {kNone, 2}}));
  CHECK(e.correct == 4);
  CHECK(e.counted == 6);
  CHECK(e.exact == 1);
  CHECK(e.right == std::vector<bool>{true, false, false});
  CHECK(e.labels.empty());
  CHECK(e.accuracy == 4.0 / 6);
  CHECK(std::abs(e.loss - (4 * loss_of(1) + loss_of(0) + loss_of(2)) / 6) < 1e-6);
}

TEST_CASE("workers: as many threads as asked for, also more than there are cores", "[unit]") {
  Workers workers(engine::machine().cores + 3);
  std::atomic<int> arrived{0};
  const auto start = std::chrono::steady_clock::now();
  workers.execute([&] {
    tbb::parallel_for(
        0, workers.threads(), 1,
        [&](int) {
          ++arrived;
          while (arrived < workers.threads() &&
                 std::chrono::steady_clock::now() - start < std::chrono::seconds(20)) {
            std::this_thread::yield();
          }
        },
        tbb::simple_partitioner{});
  });
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(15));
}

TEST_CASE("workers: lanes asked for by batch and length, and halved for large models", "[unit]") {
  models::ModelConfig model;  // two layers of width 64, feed-forward 128: 65,536 weights
  const auto lanes = [&model](std::int64_t batch, std::int64_t length, std::int64_t vocabulary) {
    return lanes_for(batch, length, model, vocabulary);
  };
  CHECK(lanes(1, 4096, 256) == 8);
  CHECK(lanes(15, 4096, 256) == 8);
  CHECK(lanes(16, 4096, 256) == 16);
  CHECK(lanes(33, 4096, 256) == 32);
  CHECK(lanes(1000, 4096, 256) == 64);
  CHECK(lanes(32, 512, 256) == 32);
  CHECK(lanes(32, 256, 256) == 16);
  CHECK(lanes(32, 128, 256) == 8);
  CHECK(lanes(512, 64, 16) == 64);
  CHECK(lanes(512, 64, 8193) == 8);  // tables of eight times the weights
  CHECK(lanes(32, 512, 0) == 32);
  model.positions = models::Positions::none;
  CHECK(lanes(32, 256, 0) == 32);
  CHECK(lanes(32, 255, 0) == 16);
  model.feed_forward = false;
  CHECK(lanes(32, 256, 512) == 16);
  const std::int64_t million = 1 << 20;
  CHECK(lane_count(32, 16 * million) == 32);  // 64 MB each
  CHECK(lane_count(32, 16 * million + 1) == 16);
  CHECK(lane_count(8, 100 * million) == 2);
  CHECK(lane_count(8, 1000 * million) == 2);
  CHECK(lane_count(3, 1000 * million) == 2);
  CHECK(lane_count(1, 1000 * million) == 1);
}

TEST_CASE("workers: a label per token costs the head there alone", "[unit]") {
  Constant constant(Head::token);
  constexpr std::int32_t kNone = engine::kIgnoredLabel;
  const std::vector<std::size_t> first{0};
  const auto flops = [&](const std::vector<std::int32_t>& labels) {
    const std::vector<std::vector<std::int32_t>> examples{labels};
    return constant.workers.predict_flops(constant.model, Labelled(examples), first);
  };
  const std::int64_t head = std::int64_t{2} * 8 * 3;  // of a token: width and classes
  CHECK(flops({1, 1, 1, 1}) - flops({1, kNone, kNone, 1}) == 2 * head);
  CHECK(flops({kNone, kNone, kNone, kNone}) == flops({1, 1, 1, 1}));
}

TEST_CASE("workers: a batch's mean loss, its counts and the gradient, whatever the lanes",
          "[unit]") {
  Constant constant(Head::pooled_class);
  const std::vector<std::int32_t> labels{0, 1, 2, 1, 1};
  const Labelled data(labels);
  const std::vector<std::uint64_t> ids{0, 1, 2, 3, 4};
  double loss = 0;
  std::vector<double> gradient(kLogits.size(), 0.0);
  for (const std::int32_t label : labels) {
    loss += loss_of(label) / 5;
    for (std::size_t k = 0; k < kLogits.size(); ++k) {
      const double share = std::exp(-loss_of(static_cast<std::int32_t>(k)));
      gradient[k] += (share - (static_cast<std::int32_t>(k) == label ? 1 : 0)) / 5;
    }
  }
  for (const std::size_t count : {1, 2, 8}) {
    CAPTURE(count);
    std::vector<Tensor> lanes;
    for (std::size_t i = 0; i < count; ++i) {
      lanes.push_back(Tensor::zeros({constant.model.parameters().flat_size()}));
    }
    const BatchResult r = constant.workers.train(constant.model, data.all(), ids, 0, 1, lanes);
    CHECK(std::abs(r.loss - loss) < 1e-6);
    CHECK(r.correct == 3);
    CHECK(r.counted == 5);
    CHECK(r.tokens == 2 + 3 + 4 + 5 + 6);
    CHECK(r.rows == std::int64_t{5} * 16);  // each in a bucket of 16
    CHECK(r.flops > 0);
    for (std::size_t k = 0; k < kLogits.size(); ++k) {
      double sum = 0;
      for (const Tensor& lane : lanes) {
        sum += double{lane.f32()[constant.bias_offset + static_cast<std::int64_t>(k)]};
      }
      CHECK(std::abs(sum - gradient[k]) < 1e-6);
    }
  }
}

}  // namespace
}  // namespace lra::harness

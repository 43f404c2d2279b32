// Multi-query associative recall. Arora, Eyuboglu, Timalsina, Johnson, Poli, Zou, Rudra, Re 2023,
// "Zoology: Measuring and Improving Recall in Efficient Language Models", arXiv 2312.04927; the
// rules are those of its code (zoology, data/multiquery_ar.py).
//   k1 v1 k2 v2 ... kK vK   [P times]   then each key once more, at slots that are drawn with
//   weights alpha j^(alpha - 1); the label at a queried key is its value.
// Ids of the paper plus 1: filler 1, keys 2..V/2, values V/2+1..V.

#include <cmath>

#include "engine/base/error.h"
#include "tasks/probes/probe_task.h"

namespace lra::tasks {
namespace {

class Mqar final : public probes::ProbeTask {
 public:
  [[nodiscard]] TaskInfo info() const override {
    TaskInfo info;
    info.name = "mqar";
    info.title = "MQAR";
    info.cite = "Arora2023";
    info.head = Head::token;
    info.classes = V_ + 1;
    info.vocabulary = V_ + 1;
    info.max_length = N_;
    info.length_axis = {"length"};
    return info;
  }

  void options(OptionTable& t) override {
    t.integer("vocabulary", V_, 8, 65000, "V, ids")
        .integer("length", N_, 4, 1 << 20, "N, tokens, even")
        .integer("pairs", K_, 1, 1 << 18, "K, keys with a value")
        .number("alpha", alpha_, 1e-6, 100, "of the slots' power law; small: queries come early")
        .integer("passes", P_, 1, 1024, "P, times that the pairs are shown")
        .flag("noise", noise_, "fill with random ids, which may be a live key or value");
  }

  void check_options() const override {
    if (N_ % 2 != 0 || 2 * K_ * P_ + 2 * K_ > N_ || V_ <= N_ || K_ > V_ / 2 - 1) {
      fail(ErrorKind::config,
           "tasks/mqar: got vocabulary {}, length {}, pairs {}, passes {}; expected an even length "
           ">= 2 pairs (passes + 1), vocabulary > length and > 2 pairs",
           V_, N_, K_, P_);
    }
  }

  [[nodiscard]] std::string settings() const override {
    return fmt::format("{} {} {} {} {} {}", V_, N_, K_, alpha_, P_, noise_);
  }

  [[nodiscard]] probes::Drawn draw(RandomStream& random) const override {
    const auto keys = probes::draw_distinct(random, 2, V_ / 2, K_);
    const auto values = probes::draw_distinct(random, V_ / 2 + 1, V_, K_);
    probes::Drawn drawn;
    drawn.tokens.assign(static_cast<std::size_t>(N_), kFiller);
    drawn.labels.assign(static_cast<std::size_t>(N_), probes::kNoLabel);
    std::size_t at = 0;
    for (std::int64_t pass = 0; pass < P_; ++pass) {
      for (std::size_t i = 0; i < keys.size(); ++i) {
        drawn.tokens[at++] = keys[i];
        drawn.tokens[at++] = values[i];
      }
    }
    std::vector<double> weights;
    for (std::int64_t j = 1; j <= (N_ - 2 * K_ * P_) / 2; ++j) {
      weights.push_back(alpha_ * std::pow(static_cast<double>(j), alpha_ - 1));
    }
    const auto slots = probes::draw_weighted(random, weights, keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      drawn.tokens[at + 2 * slots[i]] = keys[i];
      drawn.labels[at + 2 * slots[i]] = values[i];
    }
    for (std::size_t p = at; noise_ && p < drawn.tokens.size(); ++p) {
      if (drawn.tokens[p] != kFiller) continue;
      drawn.tokens[p] = static_cast<Token>(1 + random.below(static_cast<std::uint32_t>(V_)));
    }
    return drawn;
  }

  // Some value of this context.
  [[nodiscard]] double chance() const override { return 1 / static_cast<double>(K_); }

 private:
  [[nodiscard]] std::array<std::int64_t, 3> default_counts() const override {
    return {100000, 3000, 3000};
  }

  static constexpr Token kFiller = 1;
  std::int64_t V_ = 8192;
  std::int64_t N_ = 64;
  std::int64_t K_ = 4;
  double alpha_ = 0.01;
  std::int64_t P_ = 1;
  bool noise_ = false;
};

LRA_TASK(mqar, Mqar);

}  // namespace
}  // namespace lra::tasks

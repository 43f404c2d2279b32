#pragma once
// Base of the synthetic probe tasks: examples are drawn one by one, with labels at positions.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/base/random.h"
#include "tasks/task.h"

namespace lra::tasks::probes {

inline constexpr std::int32_t kNoLabel = -100;

// One drawn example; ids are at least 1, since 0 is padding. Labels are token ids or kNoLabel.
struct Drawn {
  std::vector<Token> tokens;
  std::vector<std::int32_t> labels;
};

// A generated task with a label at some positions of each example. Example i of a split depends
// only on seed, split and i; an example whose tokens are in an earlier split is redrawn.
class ProbeTask : public Task {
 public:
  [[nodiscard]] Source find(const OpenOptions& options) const override;
  [[nodiscard]] Reading read(const Source& source, const OpenOptions& options,
                             ExampleSink& sink) const override;

  // Two: `chance`, and `solution`, the rule that solves the task. They live as long as the task.
  [[nodiscard]] std::vector<Predictor> predictors() const override;

  // The values of all options, which determine the examples together with the seed.
  [[nodiscard]] virtual std::string settings() const = 0;
  [[nodiscard]] virtual Drawn draw(RandomStream& random) const = 0;
  // Accuracy of a guess from the form of the task without its content.
  [[nodiscard]] virtual double chance() const = 0;
  // The label at a labelled position, from the tokens alone; kNoLabel if the rule finds none.
  [[nodiscard]] virtual std::int32_t solve(std::span<const Token> tokens,
                                           std::size_t position) const = 0;
  [[nodiscard]] virtual std::string solution_text() const = 0;  // the rule in words

 protected:
  [[nodiscard]] virtual std::array<std::int64_t, 3> default_counts() const {
    return {50000, 2000, 2000};
  }
};

// K of 0..n-1 without replacement, each draw in proportion to the weights that are left.
[[nodiscard]] std::vector<std::size_t> draw_weighted(RandomStream& random,
                                                     std::vector<double> weights, std::size_t K);
// K of first..last without replacement, uniformly.
[[nodiscard]] std::vector<Token> draw_distinct(RandomStream& random, std::int64_t first,
                                               std::int64_t last, std::int64_t K);

}  // namespace lra::tasks::probes

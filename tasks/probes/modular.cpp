// Counting modulo m, the group Z_m: tokens are summands 0..m-1, the label is their sum so far
// modulo m. With m = 5 and the summands 0, 1 and 4 alone it is the cycle navigation of Deletang et
// al. 2022, arXiv 2207.02098. Ids: summand s is s + 1, in steps: 0 is 1, forth 2, back 3; sum s is
// s + 1.

#include "engine/base/error.h"
#include "tasks/probes/state_tracking.h"

namespace lra::tasks {
namespace {

class Modular final : public probes::StateTracking {
 public:
  Modular() : StateTracking(64) {}

  [[nodiscard]] TaskInfo info() const override {
    return word_problem("modular", "Modular counting",
                        "summands; their sum so far, modulo 5 by default",
                        "a word problem of the group Z_m");
  }

  void options(OptionTable& table) override {
    StateTracking::options(table);
    table.integer("modulus", m_, 2, 65000, "m, states")
        .flag("steps", steps_, "summands are 0, 1 and -1 alone (m of at least 3)");
  }
  void check_options() const override {
    if (steps_ && m_ < 3) {
      fail(ErrorKind::config, "tasks/modular: got modulus {} with steps, expected at least 3", m_);
    }
  }

  [[nodiscard]] std::string solution_text() const override { return "the sum so far modulo m"; }

 private:
  [[nodiscard]] std::int64_t states() const override { return m_; }
  [[nodiscard]] std::int64_t elements() const override { return steps_ ? 3 : m_; }
  [[nodiscard]] std::int64_t next(std::int64_t state, std::int64_t element) const override {
    const std::int64_t summand = steps_ && element == 2 ? m_ - 1 : element;
    return (state + summand) % m_;
  }

  std::int64_t m_ = 5;
  bool steps_ = false;
};

LRA_TASK(modular, Modular);

}  // namespace
}  // namespace lra::tasks

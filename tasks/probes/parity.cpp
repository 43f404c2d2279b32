// Parity of a string of bits, the group Z_2: the label is 2 where the number of ones so far is odd,
// 1 where it is even. Ids: bit 0 is 1, bit 1 is 2.

#include "tasks/probes/state_tracking.h"

namespace lra::tasks {
namespace {

class Parity final : public probes::StateTracking {
 public:
  Parity() : StateTracking(64) {}

  [[nodiscard]] TaskInfo info() const override {
    return word_problem("parity", "Parity", "bits; whether the number of ones so far is odd",
                        "a word problem of the group Z_2");
  }
  [[nodiscard]] std::string solution_text() const override {
    return "the sum of the bits modulo 2";
  }

 private:
  [[nodiscard]] std::int64_t states() const override { return 2; }
  [[nodiscard]] std::int64_t elements() const override { return 2; }
  [[nodiscard]] std::int64_t next(std::int64_t state, std::int64_t element) const override {
    return (state + element) % 2;
  }
};

LRA_TASK(parity, Parity);

}  // namespace
}  // namespace lra::tasks

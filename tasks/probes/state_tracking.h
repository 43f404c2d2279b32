#pragma once
// Base of the state-tracking probes: a sequence of elements of a finite group; the label at a
// position is the product of all elements up to it. Merrill, Petty, Sabharwal 2024, "The Illusion
// of State in State-Space Models", arXiv 2404.08819: the word problem of a group, tagged token by
// token. A mixer of constant depth solves it for every length if its state can act as the group
// does; a diagonal state with positive entries cannot even for two elements (Grazzi et al. 2024,
// arXiv 2411.12537).

#include <cstdint>
#include <string>

#include "tasks/probes/probe_task.h"

namespace lra::tasks::probes {

class StateTracking : public ProbeTask {
 public:
  void options(OptionTable& table) override;
  [[nodiscard]] std::string settings() const override;
  // Ids: element i is i + 1 as a token, state i is i + 1 as a label.
  [[nodiscard]] Drawn draw(RandomStream& random) const override;
  [[nodiscard]] double chance() const override { return 1 / static_cast<double>(states()); }
  [[nodiscard]] std::int32_t solve(std::span<const Token> tokens,
                                   std::size_t position) const override;

 protected:
  explicit StateTracking(std::int64_t length) : N_(length) {}

  // A group, its states counted from 0 (the identity), and the elements that occur as tokens.
  [[nodiscard]] virtual std::int64_t states() const = 0;
  [[nodiscard]] virtual std::int64_t elements() const = 0;
  // The state after element `element`, from 0 on, was applied to `state`.
  [[nodiscard]] virtual std::int64_t next(std::int64_t state, std::int64_t element) const = 0;

  // `examples` describes an example, `group` names the group of the word problem.
  [[nodiscard]] TaskInfo word_problem(const std::string& name, const std::string& title,
                                      const std::string& examples, const std::string& group) const;

 private:
  std::int64_t N_;
  bool every_position_ = true;
};

}  // namespace lra::tasks::probes

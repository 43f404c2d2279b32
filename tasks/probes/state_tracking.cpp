#include "tasks/probes/state_tracking.h"

#include "engine/base/error.h"

namespace lra::tasks::probes {

void StateTracking::options(OptionTable& table) {
  table.integer("length", N_, 1, 1 << 20, "N, tokens")
      .flag("every_position", every_position_, "a label at every position; false: at the last");
}

std::string StateTracking::settings() const {
  return fmt::format("{} {} {} {}", states(), elements(), N_, every_position_);
}

Drawn StateTracking::draw(RandomStream& random) const {
  Drawn drawn;
  std::int64_t state = 0;
  for (std::int64_t i = 0; i < N_; ++i) {
    const std::int64_t element = random.below(static_cast<std::uint32_t>(elements()));
    state = next(state, element);
    drawn.tokens.push_back(static_cast<Token>(1 + element));
    const bool labelled = every_position_ || i + 1 == N_;
    drawn.labels.push_back(labelled ? static_cast<std::int32_t>(1 + state) : kNoLabel);
  }
  return drawn;
}

std::int32_t StateTracking::solve(std::span<const Token> tokens, std::size_t position) const {
  std::int64_t state = 0;
  for (const Token token : tokens.first(position + 1)) {
    if (token < 1 || token > elements()) return kNoLabel;
    state = next(state, token - 1);
  }
  return static_cast<std::int32_t>(1 + state);
}

TaskInfo StateTracking::word_problem(const std::string& name, const std::string& title,
                                     const std::string& examples, const std::string& group) const {
  TaskInfo info;
  info.name = name;
  info.title = title;
  info.source = {.examples = examples,
                 .origin = "generated as " + group + " (Merrill et al. 2024)",
                 .counts = {50000, 2000, 2000},
                 .command = "generated at first use",
                 .otherwise = ""};
  info.cite = "Merrill2024";
  info.head = Head::token;
  info.classes = states() + 1;
  info.vocabulary = elements() + 1;
  info.max_length = N_;
  info.length_axis = {"length"};
  return info;
}

}  // namespace lra::tasks::probes

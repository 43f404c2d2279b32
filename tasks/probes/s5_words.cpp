// The word problem of S_5, the permutations of five things: the label is the product of all
// permutations so far. S_5 is not solvable, so the problem is complete for NC^1 (Barrington 1989):
// no mixer of constant depth with a diagonal state or with softmax solves it for every length under
// the assumptions of Merrill et al. 2024, arXiv 2404.08819; a delta rule whose transition is a
// reflection can with tokens that swap two things (Grazzi et al. 2024, arXiv 2411.12537).
//
// Permutations are numbered in lexicographic order of (p(0), ..., p(4)), the identity first. After
// token g the state s becomes g o s: i -> g(s(i)). Ids: permutation i is i + 1; with swaps the
// identity is 1 and the ten transpositions are 2..11 in the same order.

#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "tasks/probes/state_tracking.h"

namespace lra::tasks {
namespace {

constexpr std::size_t kThings = 5;
using Permutation = std::array<std::uint8_t, kThings>;

// All permutations, their numbers, and which of them move at most two things.
struct Group {
  Group() {
    Permutation p{};
    std::iota(p.begin(), p.end(), std::uint8_t{0});
    do {
      std::size_t moved = 0;
      for (std::size_t i = 0; i < kThings; ++i) moved += p[i] != i ? 1 : 0;
      if (moved <= 2) swaps.push_back(static_cast<std::int64_t>(all.size()));
      numbers[p] = static_cast<std::int64_t>(all.size());
      all.push_back(p);
    } while (std::next_permutation(p.begin(), p.end()));
  }
  [[nodiscard]] std::int64_t product(std::int64_t g, std::int64_t s) const {
    Permutation result{};
    for (std::size_t i = 0; i < kThings; ++i) {
      result[i] = all[static_cast<std::size_t>(g)][all[static_cast<std::size_t>(s)][i]];
    }
    return numbers.at(result);
  }
  std::vector<Permutation> all;
  std::map<Permutation, std::int64_t> numbers;
  std::vector<std::int64_t> swaps;
};

const Group& group() {
  static const Group g;
  return g;
}

class S5Words final : public probes::StateTracking {
 public:
  S5Words() : StateTracking(32) {}

  [[nodiscard]] TaskInfo info() const override {
    return word_problem("s5_words", "S5 words", "permutations of five things; their product so far",
                        "the word problem of S_5");
  }

  void options(OptionTable& table) override {
    StateTracking::options(table);
    table.flag("swaps", swaps_, "tokens are the identity and the ten transpositions alone");
  }

  [[nodiscard]] std::string solution_text() const override {
    return "the product of the permutations so far";
  }

 private:
  [[nodiscard]] std::int64_t states() const override {
    return static_cast<std::int64_t>(group().all.size());
  }
  [[nodiscard]] std::int64_t elements() const override {
    return swaps_ ? static_cast<std::int64_t>(group().swaps.size()) : states();
  }
  [[nodiscard]] std::int64_t next(std::int64_t state, std::int64_t element) const override {
    return group().product(swaps_ ? group().swaps[static_cast<std::size_t>(element)] : element,
                           state);
  }

  bool swaps_ = false;
};

LRA_TASK(s5_words, S5Words);

}  // namespace
}  // namespace lra::tasks

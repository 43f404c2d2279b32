#pragma once
// LRA's tasks for tables: their order, titles and averages.

#include <array>
#include <string>
#include <string_view>

namespace lra::results {

struct LraTask {
  std::string_view name;
  std::string_view title;
  double chance;  // percent
};

// The tasks in the order of LRA's own table. The first five form the five-task average, all six the
// other one.
inline constexpr std::array<LraTask, 6> kLraTasks{{{"listops", "ListOps", 10},
                                                   {"text", "Text", 50},
                                                   {"retrieval", "Retrieval", 50},
                                                   {"image", "Image", 10},
                                                   {"pathfinder", "Pathfinder", 50},
                                                   {"pathx", "Path-X", 50}}};

// LRA's tasks in LRA's order, others after them by name.
[[nodiscard]] inline bool task_before(std::string_view a, std::string_view b) {
  const auto rank = [](std::string_view name) {
    std::size_t i = 0;
    while (i < kLraTasks.size() && kLraTasks[i].name != name) ++i;
    return i;
  };
  const std::size_t rank_a = rank(a);
  const std::size_t rank_b = rank(b);
  return rank_a != rank_b ? rank_a < rank_b : a < b;
}

struct TaskBefore {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return task_before(a, b); }
};

}  // namespace lra::results

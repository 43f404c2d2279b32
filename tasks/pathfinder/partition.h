#pragma once
// Pathfinder's splits: which pictures of one set are for training, validation and test.

#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks::pathfinder {

// Assignment of pictures to splits, each split in its order.
struct Partition {
  std::array<std::vector<std::size_t>, 3> pictures;  // by Split, indices into the paths
  std::array<std::string, 3> sha256;                 // of the paths, one a line
};

// Orders paths by SHA-256("<seed>:<path>") and cuts that order into splits of the given sizes. A
// picture's position depends only on its path, not on the order of files or its content.
[[nodiscard]] Partition partition(const std::vector<std::string>& paths, std::int64_t seed,
                                  const std::array<std::size_t, 3>& sizes);

// The rule, its seed and the digests, as records have them.
[[nodiscard]] nlohmann::json split_json(const Partition& parts, std::int64_t seed);

}  // namespace lra::tasks::pathfinder

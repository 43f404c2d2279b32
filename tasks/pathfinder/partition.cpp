#include "tasks/pathfinder/partition.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/base/file.h"

namespace lra::tasks::pathfinder {

using nlohmann::json;

Partition partition(const std::vector<std::string>& paths, std::int64_t seed,
                    const std::array<std::size_t, 3>& sizes) {
  std::vector<std::pair<std::string, std::size_t>> ranked;
  ranked.reserve(paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    ranked.emplace_back(sha256_hex(fmt::format("{}:{}", seed, paths[i])), i);
  }
  std::sort(ranked.begin(), ranked.end());
  Partition result;
  auto at = ranked.begin();
  for (const Split split : kSplits) {
    auto& members = result.pictures[split_index(split)];
    Sha256 digest;
    for (std::size_t i = 0; i < sizes[split_index(split)]; ++i, ++at) {
      members.push_back(at->second);
      digest.update(paths[at->second]).update("\n");
    }
    result.sha256[split_index(split)] = digest.hex();
  }
  return result;
}

json split_json(const Partition& parts, std::int64_t seed) {
  json result = {{"rule", "order of SHA-256(\"<seed>:<path>\"), 80 / 10 / 10"}, {"seed", seed}};
  for (const Split split : kSplits) {
    result["sha256"][split_name(split)] = parts.sha256[split_index(split)];
  }
  return result;
}

}  // namespace lra::tasks::pathfinder

#include "tasks/pathfinder/feed.h"

#include <algorithm>

#include "tasks/io/ordered.h"

namespace lra::tasks::pathfinder {
namespace {

constexpr std::size_t kBlock = 64;  // pictures of one item of work

}  // namespace

std::int64_t feed(const Partition& parts, const Progress& progress, ExampleSink& sink,
                  const std::function<void(Picture&)>& work) {
  std::int64_t empty = 0;
  for (const Split split : kSplits) {
    const auto& members = parts.pictures[split_index(split)];
    std::size_t started = 0;
    std::size_t done = 0;
    using Block = std::vector<Picture>;
    ordered_pipeline<Block>(
        [&](Block& block) {
          if (started == members.size()) return false;
          block.resize(std::min(kBlock, members.size() - started));
          for (Picture& picture : block) picture.index = members[started++];
          return true;
        },
        [&](Block& block) {
          for (Picture& picture : block) work(picture);
        },
        [&](Block& block) {
          for (const Picture& picture : block) {
            if (picture.empty) {
              ++empty;
            } else if (!picture.fault.empty()) {
              sink.fault(picture.fault);
            } else {
              sink.add(split, {picture.tokens, {}, picture.label, {}});
            }
          }
          done += block.size();
          if (progress) {
            progress(split_name(split), static_cast<std::int64_t>(done),
                     static_cast<std::int64_t>(members.size()));
          }
        });
  }
  return empty;
}

}  // namespace lra::tasks::pathfinder

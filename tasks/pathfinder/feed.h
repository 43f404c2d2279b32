#pragma once
// The way of pictures to the sink of examples: drawn or decoded in parallel, handed over in order.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tasks/io/progress.h"
#include "tasks/pathfinder/partition.h"
#include "tasks/task.h"

namespace lra::tasks::pathfinder {

// One picture in the pipeline to the sink.
struct Picture {
  std::size_t index = 0;  // into the paths of the partition
  int label = 0;
  std::vector<Token> tokens;
  std::string fault;   // passed to the sink instead of an example
  bool empty = false;  // left out
};

// Runs work(picture) in parallel for all pictures of a partition and passes them to the sink in
// order; returns the number of empty ones.
std::int64_t feed(const Partition& parts, const Progress& progress, ExampleSink& sink,
                  const std::function<void(Picture&)>& work);

}  // namespace lra::tasks::pathfinder

#pragma once
// The parts of an operation, its heads or tiles of its rows, on several threads. Not installed.

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

namespace lra::engine {

// Runs f(i) for the parts 0 to `parts` - 1, which start in this order. Where a part takes a
// millisecond or so (`work` multiply-adds), parts are offered to threads of this arena that have
// nothing to do, as a batch of fewer sequences than cores leaves them; a part may have parts of its
// own. f computes on tensors alone, as tape and gradients belong to the calling thread, and parts
// write to different places or in the order of a Staircase: then the bits do not depend on threads.
void for_parts(std::int64_t parts, std::int64_t work, const std::function<void(std::int64_t)>& f);

// Parts that each go through the same steps and add up what a step yields: step j of a part comes
// after step j of the part before, so that the sum has the order of one thread, while other steps
// run beside.
class Staircase {
 public:
  explicit Staircase(std::int64_t parts) : done_(static_cast<std::size_t>(parts)) {}

  // One part's way; its parts must start in order, as for_parts starts them. Where it ends, also by
  // an exception, the next part waits no more.
  class Part {
   public:
    Part(Staircase& stairs, std::int64_t part) : stairs_(stairs), part_(part) {}
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    ~Part() { publish(std::numeric_limits<std::int64_t>::max()); }

    // Until the part before has done step j.
    void wait(std::int64_t j) const;
    void done(std::int64_t j) const { publish(j + 1); }

   private:
    void publish(std::int64_t steps) const;
    Staircase& stairs_;
    std::int64_t part_;
  };

 private:
  std::vector<std::atomic<std::int64_t>> done_;  // steps of each part
};

}  // namespace lra::engine

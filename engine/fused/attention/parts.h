#pragma once
// Parallel parts of an operation: its heads, or tiles of its rows. Not installed.

#include <atomic>
#include <cstdint>
#include <functional>
#include <vector>

namespace lra::engine {

// Runs f(i) for the parts 0 to `parts` - 1, which start in this order. If a part takes about a
// millisecond (`work` multiply-adds), parts are offered to idle threads of this arena, which exist
// if a batch has fewer sequences than cores; parts may be nested. f must compute only on tensors,
// because tape and gradients belong to the calling thread, and parts must write to different places
// or in the order of a Staircase; then results are bit-identical for any number of threads.
void for_parts(std::int64_t parts, std::int64_t work, const std::function<void(std::int64_t)>& f);

// Orders the steps of parts that all do the same steps and accumulate their results: step j of a
// part follows step j of the previous part, so that the sum has the order of one thread, while
// other steps run in parallel.
class Staircase {
 public:
  explicit Staircase(std::int64_t parts) : done_(static_cast<std::size_t>(parts)) {}

  // One part's progress; parts must start in order, as in for_parts. When it ends, also by an
  // exception, the next part stops waiting.
  class Part {
   public:
    Part(Staircase& stairs, std::int64_t part) : stairs_(stairs), part_(part) {}
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    ~Part();

    // Waits until every earlier part has done step j or has ended.
    void wait(std::int64_t j) const;
    void done(std::int64_t j) const;

   private:
    Staircase& stairs_;
    std::int64_t part_;
  };

 private:
  static constexpr std::int64_t kEnded = std::int64_t{1} << 62;
  std::vector<std::atomic<std::int64_t>> done_;  // steps of each part, with kEnded added at its end
};

}  // namespace lra::engine

#pragma once
// Parallel work on a sequence of items with results in order, for reading records and generating
// examples. Included only by source files, because it includes TBB.

#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

#include <cstddef>
#include <memory>
#include <utility>

namespace lra::tasks {

// next(item) fills an item or returns false at the end (called by one thread at a time, in order);
// work(item) runs in parallel; consume(item) again one at a time, in the order of next(). At most
// four items per thread are alive at a time. An exception propagates after all have stopped.
template <class Item, class Next, class Work, class Consume>
void ordered_pipeline(const Next& next, const Work& work, const Consume& consume) {
  namespace tbb = oneapi::tbb;
  using Handle = std::shared_ptr<Item>;
  const auto threads = static_cast<std::size_t>(tbb::this_task_arena::max_concurrency());
  tbb::parallel_pipeline(
      4 * threads,
      tbb::make_filter<void, Handle>(tbb::filter_mode::serial_in_order,
                                     [&next](tbb::flow_control& control) -> Handle {
                                       auto item = std::make_shared<Item>();
                                       if (!next(*item)) {
                                         control.stop();
                                         return nullptr;
                                       }
                                       return item;
                                     }) &
          tbb::make_filter<Handle, Handle>(tbb::filter_mode::parallel,
                                           [&work](Handle item) {
                                             work(*item);
                                             return item;
                                           }) &
          tbb::make_filter<Handle, void>(tbb::filter_mode::serial_in_order,
                                         [&consume](const Handle& item) { consume(*item); }));
}

}  // namespace lra::tasks

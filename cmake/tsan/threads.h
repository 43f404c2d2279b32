#pragma once
// Stands in for TBB's headers in builds with the thread sanitizer, which cannot see how the libtbb
// of a distribution synchronises: what the project uses of TBB, on threads that are compiled with
// the sanitizer, so that it judges the bodies of parallel loops without suppressions. Same
// semantics, slower: a loop shares its indices out one by one, a waiting thread takes up no other
// work.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace lra_tsan {

inline std::atomic<std::size_t> most_threads{std::max(1U, std::thread::hardware_concurrency())};
inline thread_local int arena_threads = 0;  // of the arena that the thread is in; 0: none

inline int concurrency() {
  return arena_threads > 0 ? arena_threads : static_cast<int>(most_threads.load());
}

// Work that several threads do together: each of them calls `work` once. The first exception is the
// caller's.
class Team {
 public:
  explicit Team(std::function<void()> work, int arena) : work_(std::move(work)), arena_(arena) {}

  void take_part() {
    {
      const std::scoped_lock lock(mutex_);
      if (closed_) return;
      ++inside_;
    }
    const int before = std::exchange(arena_threads, arena_);
    std::exception_ptr thrown;
    try {
      work_();
    } catch (...) {
      thrown = std::current_exception();
    }
    arena_threads = before;
    const std::scoped_lock lock(mutex_);
    // libstdc++ counts the owners of an exception where the sanitizer cannot see it: here is one.
    if (thrown && !thrown_) thrown_ = std::move(thrown);
    --inside_;
    left_.notify_all();
  }

  void close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    left_.wait(lock, [this] { return inside_ == 0; });
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
  }

 private:
  std::function<void()> work_;
  int arena_;
  std::mutex mutex_;
  std::condition_variable left_;
  int inside_ = 0;
  bool closed_ = false;
  std::exception_ptr thrown_;
};

class Pool {
 public:
  static Pool& instance() {
    static Pool* pool = new Pool;  // its threads outlive main()
    return *pool;
  }

  void invite(const std::shared_ptr<Team>& team, int helpers) {
    const std::scoped_lock lock(mutex_);
    for (int i = 0; i < helpers; ++i) invitations_.push_back(team);
    while (threads_ < kMostThreads && static_cast<std::size_t>(idle_) < invitations_.size()) {
      ++threads_;
      ++idle_;
      std::thread([this] { serve(); }).detach();
    }
    changed_.notify_all();
  }

 private:
  static constexpr int kMostThreads = 32;

  [[noreturn]] void serve() {
    while (true) {
      std::shared_ptr<Team> team;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !invitations_.empty(); });
        team = std::move(invitations_.front());
        invitations_.pop_front();
        --idle_;
      }
      team->take_part();
      team.reset();
      const std::scoped_lock lock(mutex_);
      ++idle_;
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Team>> invitations_;
  int threads_ = 0;
  int idle_ = 0;
};

// Calls `work` on this thread and on others of the arena; returns when all have returned.
inline void together(std::function<void()> work, std::size_t tasks) {
  const int helpers = static_cast<int>(std::min<std::size_t>(
      tasks, static_cast<std::size_t>(std::min(concurrency(), static_cast<int>(most_threads)))));
  const auto team = std::make_shared<Team>(std::move(work), arena_threads);
  if (helpers > 1) Pool::instance().invite(team, helpers - 1);
  team->take_part();
  team->close();
}

}  // namespace lra_tsan

namespace tbb {

class global_control {
 public:
  enum parameter { max_allowed_parallelism };
  global_control(parameter, std::size_t threads)
      : before_(lra_tsan::most_threads.exchange(threads)) {}
  global_control(const global_control&) = delete;
  global_control& operator=(const global_control&) = delete;
  ~global_control() { lra_tsan::most_threads = before_; }
  static std::size_t active_value(parameter) { return lra_tsan::most_threads; }

 private:
  std::size_t before_;
};

class task_arena {
 public:
  explicit task_arena(int threads) : threads_(threads) {}
  template <class F>
  decltype(auto) execute(F&& f) {
    struct Leave {
      int before;
      ~Leave() { lra_tsan::arena_threads = before; }
    } const leave{std::exchange(lra_tsan::arena_threads, threads_)};
    return std::forward<F>(f)();
  }

 private:
  int threads_;
};

namespace this_task_arena {
inline int max_concurrency() { return lra_tsan::concurrency(); }
template <class F>
decltype(auto) isolate(F&& f) {
  return std::forward<F>(f)();
}
}  // namespace this_task_arena

// Tasks that may add others; run by whoever waits, with helpers.
class task_group {
 public:
  template <class F>
  void run(F&& f) {
    const std::scoped_lock lock(mutex_);
    tasks_.push_back(std::make_shared<std::function<void()>>(std::forward<F>(f)));
    ++open_;
    changed_.notify_all();
  }

  void wait() {
    lra_tsan::together(
        [this] {
          std::unique_lock lock(mutex_);
          while (true) {
            changed_.wait(lock, [this] { return !tasks_.empty() || open_ == 0; });
            if (tasks_.empty()) return;
            const auto task = std::move(tasks_.front());
            tasks_.pop_front();
            lock.unlock();
            (*task)();
            lock.lock();
            if (--open_ == 0) changed_.notify_all();
          }
        },
        static_cast<std::size_t>(lra_tsan::concurrency()));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<std::function<void()>>> tasks_;
  int open_ = 0;
};

struct simple_partitioner {};
struct auto_partitioner {};

template <class Index>
class blocked_range {
 public:
  blocked_range(Index begin, Index end, std::size_t grain = 1)
      : begin_(begin), end_(end), grain_(grain) {}
  [[nodiscard]] Index begin() const { return begin_; }
  [[nodiscard]] Index end() const { return end_; }
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(end_ - begin_); }
  [[nodiscard]] std::size_t grainsize() const { return grain_; }

 private:
  Index begin_, end_;
  std::size_t grain_;
};

template <class Index, class F, class Partitioner = auto_partitioner>
void parallel_for(Index first, Index last, Index step, const F& f, const Partitioner& = {}) {
  if (!(first < last)) return;
  const auto count = static_cast<std::size_t>((last - first + step - 1) / step);
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  lra_tsan::together(
      [&] {
        for (std::size_t i = next++; i < count && !failed; i = next++) {
          try {
            f(static_cast<Index>(first + static_cast<Index>(i) * step));
          } catch (...) {
            failed = true;
            throw;
          }
        }
      },
      count);
}

template <class Index, class F, class Partitioner = auto_partitioner>
requires std::is_invocable_v<const F&, Index>
void parallel_for(Index first, Index last, const F& f, const Partitioner& = {}) {
  parallel_for(first, last, Index{1}, f);
}

template <class Index, class F, class Partitioner = auto_partitioner>
void parallel_for(const blocked_range<Index>& range, const F& f, const Partitioner& = {}) {
  const auto grain = static_cast<Index>(range.grainsize());
  parallel_for(range.begin(), range.end(), grain, [&](Index begin) {
    f(blocked_range<Index>(begin, std::min<Index>(begin + grain, range.end()), range.grainsize()));
  });
}

template <class T>
class enumerable_thread_specific {
 public:
  enumerable_thread_specific() : make_([] { return std::make_unique<T>(); }) {}
  template <class Make>
  requires std::is_invocable_v<Make>
  explicit enumerable_thread_specific(Make make)
      : make_([make] { return std::make_unique<T>(make()); }) {}
  template <class Argument>
  requires(!std::is_invocable_v<Argument>) explicit enumerable_thread_specific(Argument argument)
      : make_([argument] { return std::make_unique<T>(argument); }) {}

  T& local() {
    const std::scoped_lock lock(mutex_);
    auto& mine = values_[std::this_thread::get_id()];
    if (!mine) mine = make_();
    return *mine;
  }

 private:
  std::function<std::unique_ptr<T>()> make_;
  std::mutex mutex_;
  std::map<std::thread::id, std::unique_ptr<T>> values_;
};

// A pipeline of three filters: in order, parallel, in order.
class flow_control {
 public:
  void stop() { stopped = true; }
  bool stopped = false;
};
enum class filter_mode { parallel, serial_in_order };
template <class In, class Out, class F>
struct filter {
  F body;
};
template <class In, class Out, class F>
filter<In, Out, F> make_filter(filter_mode, F body) {
  return {std::move(body)};
}
template <class First, class Second>
struct chain {
  First first;
  Second second;
};
template <class A, class B, class C, class F, class G>
chain<filter<A, B, F>, filter<B, C, G>> operator&(filter<A, B, F> f, filter<B, C, G> g) {
  return {std::move(f), std::move(g)};
}
template <class First, class Second, class B, class C, class G>
chain<chain<First, Second>, filter<B, C, G>> operator&(chain<First, Second> f, filter<B, C, G> g) {
  return {std::move(f), std::move(g)};
}

template <class In, class Work, class Out>
void parallel_pipeline(std::size_t, const chain<chain<In, Work>, Out>& filters) {
  std::mutex mutex;
  std::condition_variable turn;
  std::size_t given = 0;  // items that left the first filter
  std::size_t taken = 0;  // items that the last filter has had
  bool ended = false;     // no further item comes
  bool failed = false;
  lra_tsan::together(
      [&] {
        std::unique_lock lock(mutex);
        while (!ended && !failed) {
          try {
            flow_control control;
            auto item = filters.first.first.body(control);
            if (control.stopped) {
              ended = true;
              break;
            }
            const std::size_t number = given++;
            lock.unlock();
            item = filters.first.second.body(std::move(item));
            lock.lock();
            turn.wait(lock, [&] { return taken == number || failed; });
            if (failed) break;
            filters.second.body(std::move(item));
            ++taken;
            turn.notify_all();
          } catch (...) {
            if (!lock.owns_lock()) lock.lock();
            failed = true;
            turn.notify_all();
            throw;
          }
        }
      },
      static_cast<std::size_t>(lra_tsan::concurrency()));
}

}  // namespace tbb

namespace oneapi {
namespace tbb = ::tbb;
}

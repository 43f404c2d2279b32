#pragma once
// Time profile of a step: time and calls by operation, summed over threads. Off by default;
// then a scope costs one load.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace lra::engine::profile {

struct Entry {
  std::string operation;
  std::int64_t calls = 0;
  double seconds = 0;  // summed over threads
};
template <class Visitor>
void describe(Visitor& v, Entry& entry) {  // engine/base/fields.h
  v("operation", entry.operation);
  v("calls", entry.calls);
  v("seconds", entry.seconds);
}

void enable(bool on);
[[nodiscard]] bool enabled();
// Sorted by time, longest first.
[[nodiscard]] std::vector<Entry> entries();
void reset();
void add(const char* operation, double seconds);

// Times a block under a name with static lifetime (a string literal).
class Scope {
 public:
  explicit Scope(const char* operation) : operation_(enabled() ? operation : nullptr) {
    if (operation_ != nullptr) start_ = std::chrono::steady_clock::now();
  }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope() {
    if (operation_ != nullptr) {
      add(operation_,
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
    }
  }

 private:
  const char* operation_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace lra::engine::profile

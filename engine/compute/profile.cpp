#include "engine/compute/profile.h"

#include <algorithm>
#include <map>
#include <mutex>

namespace lra::engine::profile {
namespace {

std::atomic<bool> is_enabled{false};
std::mutex mutex;
std::map<std::string, Entry>& table() {
  static std::map<std::string, Entry> entries;
  return entries;
}

}  // namespace

void enable(bool on) { is_enabled.store(on); }
bool enabled() { return is_enabled.load(std::memory_order_relaxed); }

void add(const char* operation, double seconds) {
  const std::scoped_lock lock(mutex);
  Entry& entry = table()[operation];
  entry.operation = operation;
  ++entry.calls;
  entry.seconds += seconds;
}

std::vector<Entry> entries() {
  const std::scoped_lock lock(mutex);
  std::vector<Entry> result;
  for (const auto& [name, entry] : table()) result.push_back(entry);
  std::sort(result.begin(), result.end(),
            [](const Entry& a, const Entry& b) { return a.seconds > b.seconds; });
  return result;
}

void reset() {
  const std::scoped_lock lock(mutex);
  table().clear();
}

}  // namespace lra::engine::profile

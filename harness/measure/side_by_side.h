#pragma once
// Measures several subjects alternately, each in a separate process.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lra::harness {

// A benchmark subject: the constructor warms up, then each call is one round of measurements.
class Rehearsal {
 public:
  Rehearsal() = default;
  Rehearsal(const Rehearsal&) = delete;
  Rehearsal& operator=(const Rehearsal&) = delete;
  virtual ~Rehearsal() = default;
  virtual void round() = 0;
  [[nodiscard]] virtual nlohmann::json result() = 0;  // of all rounds so far
};

using Tell = std::function<void(const std::string&)>;

struct Subject {
  // Called in the subject's process; `tell` is forwarded to `progress` in this process.
  std::function<std::unique_ptr<Rehearsal>(const Tell& tell)> prepare;
  Tell progress;                         // may be empty
  std::optional<nlohmann::json> result;  // none: `failure` says why, unless it was stopped
  std::string failure;
  bool out_of_memory = false;
  bool broke_off = false;  // its process was killed, independently of the subject
};

struct SideBySideOptions {
  int rounds = 3;
  std::int64_t memory_bytes = 0;  // limit of all processes together; 0: no limit
  const std::atomic<bool>* stop = nullptr;
};

// Prepares the subjects one after the other; then each in turn does a round while the others wait,
// so that a machine that slows down slows all of them. Subjects that do not fit into memory with
// the preceding ones are measured afterwards. Must be called before this process has started
// threads.
void measure_side_by_side(std::vector<Subject>& subjects, const SideBySideOptions& options);

}  // namespace lra::harness

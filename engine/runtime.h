#pragma once
// The machine and the threads that compute on it.

#include <memory>
#include <string>
#include <string_view>

#include "engine/base/precision.h"
#include "engine/tensor/memory.h"
#include "engine/tensor/tensor.h"

namespace lra::engine {

struct Machine {
  std::string cpu;           // model name
  std::string isa;           // what oneDNN uses, e.g. "avx512_core_bf16"
  int cores = 0;             // that this process may use
  std::string onednn;        // version and runtime, e.g. "2.6.3 (OMP)"
  bool avx512 = false;       // required by oneDNN for bf16 and for a compiled softmax backward
  bool native_bf16 = false;  // AVX-512 BF16 or AMX
};
// The first call restores the process's initial affinity mask for the calling thread (see
// engine/base/resources.h).
[[nodiscard]] const Machine& machine();

// The precision of a word: "f32", "bf16" or "auto" (bf16 where the machine has it natively). Throws
// Error(usage) for another word, and for bf16 where oneDNN cannot compute in it.
[[nodiscard]] Precision resolve_precision(std::string_view word);
[[nodiscard]] constexpr DType dtype_of(Precision precision) {
  return precision == Precision::bf16 ? DType::bf16 : DType::f32;
}

// Prepares the calling thread for work of a run during the object's lifetime: oneDNN runs
// single-threaded, denormals are flushed to zero, allocations are counted on the meter.
class WorkerScope {
 public:
  explicit WorkerScope(std::shared_ptr<MemoryMeter> meter = nullptr);
  WorkerScope(const WorkerScope&) = delete;
  WorkerScope& operator=(const WorkerScope&) = delete;
  ~WorkerScope();

 private:
  MemoryScope memory_;
  unsigned saved_control_;
  int saved_threads_;
};

// Sets the number of TBB threads, which may exceed the number of cores.
void allow_threads(int threads);

// Peak and current resident memory of the process.
[[nodiscard]] std::size_t peak_rss_bytes();
[[nodiscard]] std::size_t rss_bytes();

}  // namespace lra::engine

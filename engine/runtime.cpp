#include "engine/runtime.h"

#include <fmt/format.h>
#include <omp.h>
#include <sys/resource.h>
#include <tbb/global_control.h>
#include <unistd.h>

#include <fstream>
#include <mutex>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/resources.h"
#include "engine/compute/onednn.h"
#include "engine/compute/primitives/primitives.h"

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace lra::engine {
namespace {

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

const char* isa_name(dnnl::cpu_isa isa) {
  switch (isa) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return static_cast<int>(isa) > static_cast<int>(dnnl::cpu_isa::avx512_core_bf16)
                 ? "avx512_core_bf16 or newer"
                 : "baseline";
  }
}

const char* runtime_name() {
#if DNNL_CPU_RUNTIME == DNNL_RUNTIME_OMP
  return "OpenMP";
#elif DNNL_CPU_RUNTIME == DNNL_RUNTIME_TBB
  return "TBB";
#elif DNNL_CPU_RUNTIME == DNNL_RUNTIME_SEQ
  return "sequential";
#else
  return "other";
#endif
}

Machine describe_machine() {
  Machine result;
  result.cpu = cpu_model();
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  result.isa = isa_name(isa);
  restore_affinity();
  result.cores = usable_cpus();
  const dnnl_version_t* version = dnnl::version();
  result.onednn =
      fmt::format("{}.{}.{} ({})", version->major, version->minor, version->patch, runtime_name());
  result.avx512 = result.isa.starts_with("avx512") || result.isa.starts_with("avx10");
  result.native_bf16 =
      result.isa.starts_with("avx512_core_bf16") || result.isa == "avx512_core_amx";
  return result;
}

// Flush-to-zero and denormals-are-zero.
unsigned set_control(unsigned value) {
#if defined(__SSE__)
  const unsigned before = _mm_getcsr();
  _mm_setcsr(value);
  return before;
#else
  return value;
#endif
}

unsigned flushing_control() {
#if defined(__SSE__)
  return _mm_getcsr() | 0x8040U;
#else
  return 0;
#endif
}

}  // namespace

const Machine& machine() {
  static const Machine instance = describe_machine();
  return instance;
}

Precision resolve_precision(std::string_view word) {
  if (word == "auto") return machine().native_bf16 ? Precision::bf16 : Precision::f32;
  const auto precision = enum_of<Precision>(word);
  if (!precision) {
    auto known = words_of<Precision>();
    known.insert(known.begin(), "auto");
    throw Error(ErrorKind::usage, unknown_name_message("precision", word, known));
  }
  if (precision == Precision::bf16 && !machine().avx512) {
    fail(ErrorKind::usage, "precision bf16 needs AVX-512, and this machine has {}; use f32 or auto",
         machine().isa);
  }
  return *precision;
}

WorkerScope::WorkerScope(std::shared_ptr<MemoryMeter> meter)
    : memory_(std::move(meter)),
      saved_control_(set_control(flushing_control())),
      saved_threads_(omp_get_max_threads()) {
  omp_set_num_threads(1);
}

WorkerScope::~WorkerScope() {
  primitives::release_scratchpad();
  omp_set_num_threads(saved_threads_);
  set_control(saved_control_);
}

void allow_threads(int threads) {
  using tbb::global_control;
  static std::mutex mutex;
  static std::unique_ptr<global_control> more;  // with several alive the smallest would apply
  const std::scoped_lock lock(mutex);
  const auto wanted = static_cast<std::size_t>(threads);
  if (wanted <= global_control::active_value(global_control::max_allowed_parallelism)) return;
  more.reset();
  more = std::make_unique<global_control>(global_control::max_allowed_parallelism, wanted);
}

std::size_t peak_rss_bytes() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

std::size_t rss_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace lra::engine

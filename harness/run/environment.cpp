#include "harness/run/environment.h"

#include <fmt/format.h>
#include <tbb/version.h>

#include <cstdlib>
#include <ctime>

#include "engine/runtime.h"
#include "harness/version.h"

namespace lra::harness {

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

results::Environment environment(int threads, std::int64_t lanes) {
  const engine::Machine& machine = engine::machine();
  results::Environment e;
  e.cpu = machine.cpu;
  e.isa = machine.isa;
  e.cores = machine.cores;
  e.threads = threads;
  e.lanes = lanes;
  e.onednn = machine.onednn;
  e.tbb = fmt::format("{}.{}", TBB_VERSION_MAJOR, TBB_VERSION_MINOR);
  e.compiler = compiler_name();
  e.version = version();
  if (!commit().empty()) {
    e.commit = commit();
    e.dirty = commit_is_dirty();
  }
  if (const char* node = std::getenv("SLURMD_NODENAME")) e.node = node;
  return e;
}

}  // namespace lra::harness

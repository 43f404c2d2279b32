#include "engine/runtime.h"

#include <cstring>
#include <limits>
#include <thread>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// A denormal result, which flushing turns into 0.
bool flushes_denormals() {
  volatile float tiny = std::numeric_limits<float>::min();
  volatile float result = tiny * 0.5F;
  return result == 0;
}

}  // namespace

TEST_CASE("machine: what records need is known", "[unit]") {
  CHECK(!machine().cpu.empty());
  CHECK(!machine().isa.empty());
  CHECK(machine().cores >= 1);
  CHECK(machine().onednn.find('.') != std::string::npos);
  CHECK(&machine() == &machine());
}

TEST_CASE("worker scope: counts, flushes denormals, and puts everything back", "[unit]") {
  std::thread([] {
    const bool before = flushes_denormals();
    const auto meter = std::make_shared<MemoryMeter>();
    {
      const WorkerScope worker(meter);
#if defined(__SSE__)
      CHECK(flushes_denormals());
#endif
      const Tensor counted({64}, DType::f32);
      CHECK(meter->live_bytes() == 256);
    }
    CHECK(flushes_denormals() == before);
    const Tensor uncounted({64}, DType::f32);
    CHECK(meter->live_bytes() == 0);
    CHECK(meter->peak_bytes() == 256);
  }).join();
}

TEST_CASE("resident memory: grows with what is touched, the peak is no smaller", "[unit]") {
  const std::size_t before = rss_bytes();
  CHECK(before > 0);
  constexpr std::size_t kBytes = std::size_t{32} << 20U;
  const std::vector<char> touched(kBytes, 1);
  CHECK(touched[kBytes / 2] == 1);
  CHECK(rss_bytes() >= before + kBytes / 2);
  CHECK(peak_rss_bytes() >= before + kBytes / 2);
}

}  // namespace lra::engine::testing

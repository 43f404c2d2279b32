// metrics.jsonl: steps, splits and numbers of a learning curve.

#include <cmath>
#include <cstdlib>

#include "engine/base/fuzz.h"
#include "results/record/bench_record.h"

using namespace lra;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read([&] {
    for (const auto& point : results::parse_curve(fuzz::text(data, size), "fuzz")) {
      if (point.step < 0 || point.split.empty()) std::abort();
      if (point.loss && !std::isfinite(*point.loss)) std::abort();
    }
  });
  return 0;
}

// Pathfinder's pictures: an accepted picture has the stated size and is unchanged after being
// written again.

#include <cstdlib>

#include "engine/base/fuzz.h"
#include "tasks/pathfinder/grey_png.h"

namespace fuzz = lra::fuzz;
using namespace lra::tasks;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr int kSide = 8;
  fuzz::read([&] {
    const auto pixels = pathfinder::decode_grey_png(fuzz::text(data, size), kSide, kSide, "fuzz");
    if (pixels.size() != kSide * kSide) std::abort();
    const std::string again = encode_grey_png(pixels, kSide, kSide);
    if (pathfinder::decode_grey_png(again, kSide, kSide, "again") != pixels) std::abort();
  });
  return 0;
}

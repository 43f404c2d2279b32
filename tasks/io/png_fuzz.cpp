// PNG pictures of any size and form.

#include <cstdlib>

#include "engine/base/fuzz.h"
#include "tasks/io/png.h"

namespace fuzz = lra::fuzz;
using namespace lra::tasks;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read([&] {
    const PngPicture picture = decode_png(fuzz::text(data, size), "fuzz.png");
    if (picture.values.size() != picture.height * picture.width * picture.channels) std::abort();
  });
  return 0;
}

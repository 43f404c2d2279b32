// NumPy arrays: elements are inside the file for any header.

#include <cstdlib>

#include "engine/base/fuzz.h"
#include "tasks/io/npy.h"

namespace fuzz = lra::fuzz;
using namespace lra::tasks;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read([&] {
    const NpyArray array = parse_npy(fuzz::text(data, size), "fuzz.npy");
    if (array.size() * array.item_bytes != array.data.size()) std::abort();
    if (!array.is_numeric() || array.size() == 0) return;
    static_cast<void>(array.number(0));
    static_cast<void>(array.number(array.size() - 1));
  });
  return 0;
}

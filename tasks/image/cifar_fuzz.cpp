// CIFAR-10 files of three records, in colour and grey.

#include <cstdlib>

#include "engine/base/fuzz.h"
#include "tasks/image/cifar.h"

namespace fuzz = lra::fuzz;
using namespace lra::tasks;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const std::size_t bytes : {image::kColourRecord, image::kGreyRecord}) {
    for (const image::Grey formula : {image::Grey::tf, image::Grey::pil}) {
      fuzz::read([&] {
        const auto add = [](std::size_t number, const image::Picture& picture) {
          if (number > 2 || picture.label < 0 || picture.label > 9) std::abort();
        };
        image::read_pictures(fuzz::text(data, size), "fuzz.bin", bytes, 3, formula, add,
                             [](const std::string& message) { fuzz::look_at(message); });
      });
    }
  }
  return 0;
}

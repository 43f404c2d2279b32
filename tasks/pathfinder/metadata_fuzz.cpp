// Pathfinder's metadata, text and NumPy arrays.

#include <cstdlib>

#include "engine/base/fuzz.h"
#include "tasks/io/archive.h"
#include "tasks/pathfinder/metadata.h"

namespace fuzz = lra::fuzz;
using namespace lra::tasks;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read([&] {
    const auto add = [](pathfinder::MetadataRow&& row) {
      if (row.label != 0 && row.label != 1) std::abort();
      if (!is_safe_relative_path(row.picture)) std::abort();
    };
    pathfinder::read_metadata(fuzz::text(data, size), "fuzz.npy", add,
                              [](const std::string& message) { fuzz::look_at(message); });
  });
  return 0;
}

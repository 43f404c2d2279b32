#include "tasks/pathfinder/grey_png.h"

#include <utility>

#include "engine/base/error.h"

namespace lra::tasks::pathfinder {

std::vector<std::uint8_t> decode_grey_png(std::string_view file, int height, int width,
                                          const std::string& where) {
  const auto check = [&](const PngHeader& header) {
    constexpr int kGrey = 0;
    if (header.colour != kGrey || header.depth != 8) {
      fail(ErrorKind::data, "{}: PNG colour type and depth; got {} and {}, expected 0 (grey) and 8",
           where, header.colour, header.depth);
    }
    if (std::cmp_not_equal(header.width, width) || std::cmp_not_equal(header.height, height)) {
      fail(ErrorKind::data, "{}: PNG size; got {} x {}, expected {} x {}", where, header.height,
           header.width, height, width);
    }
  };
  return decode_png(file, where, check).values;
}

}  // namespace lra::tasks::pathfinder

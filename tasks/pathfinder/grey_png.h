#pragma once
// 8-bit grey PNG pictures of one size, as Pathfinder's are.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/io/png.h"

namespace lra::tasks::pathfinder {

// Decodes a PNG that must be 8-bit grey without alpha, `height` x `width` and complete. Returns the
// grey values row-major as stored (no gamma is applied). `where` starts the message of the
// Error(data) for anything else: not a PNG, truncated, wrong checksum, other colour type, depth or
// size.
[[nodiscard]] std::vector<std::uint8_t> decode_grey_png(std::string_view file, int height,
                                                        int width, const std::string& where);

}  // namespace lra::tasks::pathfinder

#pragma once
// 8-bit grey PNG pictures in memory: strict reading, deterministic writing.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lra::tasks::pathfinder {

// Decodes a PNG that must be 8-bit grey without alpha, `height` x `width` and complete. Returns the
// grey values row-major as stored (no gamma is applied). `where` starts the message of the
// Error(data) for anything else: no PNG, truncated, checksum wrong, other colour type, depth or
// size.
[[nodiscard]] std::vector<std::uint8_t> decode_grey_png(std::string_view file, int height,
                                                        int width, const std::string& where);

// Encodes row-major grey values; the same values give the same bytes with one version of zlib.
[[nodiscard]] std::string encode_grey_png(std::span<const std::uint8_t> pixels, int height,
                                          int width);

}  // namespace lra::tasks::pathfinder

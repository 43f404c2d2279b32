#pragma once
// PNG pictures in memory: strict reading, deterministic writing.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lra::tasks {

// The largest picture that is read, in values: height x width x channels.
inline constexpr std::size_t kLargestPicture = std::size_t{1} << 28U;

struct PngHeader {
  std::uint32_t width = 0, height = 0;
  int depth = 0, colour = 0;  // bits per channel; 0 grey, 2 RGB, 3 palette, 4 and 6 with alpha
  bool transparent = false;   // has a transparent colour or palette entry
};

struct PngPicture {
  std::size_t height = 0, width = 0;
  std::size_t channels = 1;          // 1 grey, 3 red, green, blue
  std::vector<std::uint8_t> values;  // [height, width, channels]
};

// Decodes a complete PNG of at most 8 bits per channel without transparency; a palette becomes RGB.
// Values are as stored (no gamma is applied). `check` may throw for an unwanted header, before the
// pixels are read; it may be empty. `where` starts the message of the Error(data) for anything
// else: not a PNG, truncated, wrong checksum, unsupported form.
[[nodiscard]] PngPicture decode_png(std::string_view file, const std::string& where,
                                    const std::function<void(const PngHeader&)>& check = {});

// Encodes row-major grey values as 8-bit grey; the same values give the same bytes with one version
// of zlib.
[[nodiscard]] std::string encode_grey_png(std::span<const std::uint8_t> pixels, int height,
                                          int width);

}  // namespace lra::tasks

#include "tasks/pathfinder/grey_png.h"

#include <array>
#include <numeric>

#include "engine/base/error.h"
#include "tests/catch.h"

using lra::tasks::encode_grey_png;
using lra::testing::ContainsSubstring;
using namespace lra::tasks::pathfinder;

namespace {

std::vector<std::uint8_t> ramp(int height, int width) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(height) *
                                   static_cast<std::size_t>(width));
  std::iota(pixels.begin(), pixels.end(), std::uint8_t{3});
  return pixels;
}

// Sets a byte of the header chunk (which follows the signature) and its checksum (PNG, annex D).
std::string with_header_byte(std::string file, std::size_t at, char value) {
  constexpr std::size_t kType = 12;
  constexpr std::size_t kEnd = 29;
  file[16 + at] = value;
  std::uint32_t crc = 0xFFFFFFFFU;
  for (std::size_t i = kType; i < kEnd; ++i) {
    crc ^= static_cast<unsigned char>(file[i]);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  crc = ~crc;
  for (unsigned i = 0; i < 4; ++i) file[kEnd + i] = static_cast<char>(crc >> (24U - 8U * i));
  return file;
}

std::string fault(const std::string& file, int height = 6, int width = 9) {
  try {
    static_cast<void>(decode_grey_png(file, height, width, "f.png"));
  } catch (const lra::Error& error) {
    CHECK(error.kind() == lra::ErrorKind::data);
    return error.what();
  }
  FAIL("the PNG was read without an error");
  return {};
}

}  // namespace

TEST_CASE("grey_png: what was written is read back", "[unit]") {
  const auto pixels = ramp(6, 9);
  const std::string file = encode_grey_png(pixels, 6, 9);
  CHECK(decode_grey_png(file, 6, 9, "f.png") == pixels);
  CHECK(encode_grey_png(pixels, 6, 9) == file);
}

TEST_CASE("grey_png: colour types, depths and sizes other than asked are refused", "[unit]") {
  const std::string file = encode_grey_png(ramp(6, 9), 6, 9);
  CHECK_THAT(fault(file, 9, 6), ContainsSubstring("f.png: PNG size; got 6 x 9, expected 9 x 6"));
  CHECK_THAT(fault(with_header_byte(file, 9, 2)), ContainsSubstring("got 2 and 8, expected 0"));
  CHECK_THAT(fault(with_header_byte(file, 9, 4)), ContainsSubstring("got 4 and 8"));
  CHECK_THAT(fault(with_header_byte(file, 8, 16)), ContainsSubstring("got 0 and 16"));
  CHECK_THAT(fault(with_header_byte(file, 8, 1)), ContainsSubstring("got 0 and 1"));
  // A height that the data do not fill, and one that no picture has.
  CHECK_THAT(fault(with_header_byte(file, 7, 7), 7, 9), ContainsSubstring("not a readable PNG"));
  CHECK_THAT(fault(with_header_byte(file, 4, 0x7F)), ContainsSubstring("not a readable PNG"));
}

TEST_CASE("grey_png: truncated and damaged files are refused", "[unit]") {
  const std::string file = encode_grey_png(ramp(6, 9), 6, 9);
  for (std::size_t size = 0; size < file.size(); ++size) {
    CHECK_THAT(fault(file.substr(0, size)), ContainsSubstring("f.png"));
  }
  CHECK_THAT(fault(file.substr(0, 50)), ContainsSubstring("truncated; got 50 bytes"));
  for (std::size_t i = 0; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    fault(damaged);
  }
  CHECK_THAT(fault("GIF89a, not a PNG at all"), ContainsSubstring("not a readable PNG"));
}

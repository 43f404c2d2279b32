#include "engine/base/text.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>

namespace lra {
namespace {

// Bytes of the character at the start of a text; 0 if it is not valid UTF-8.
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  const unsigned second = byte(1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool outside = (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);
  return overlong || outside ? 0 : size;
}

}  // namespace

std::size_t utf8_prefix(std::string_view bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t size = character_size(bytes.substr(at));
    if (size == 0) break;
    at += size;
  }
  return at;
}

std::string valid_utf8(std::string_view bytes) {
  std::string result;
  for (;;) {
    const std::size_t good = utf8_prefix(bytes);
    result += bytes.substr(0, good);
    if (good == bytes.size()) return result;
    result += fmt::format("\\x{:02x}", static_cast<unsigned char>(bytes[good]));
    bytes.remove_prefix(good + 1);
  }
}

std::string shortened(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return std::string(text);
  return std::string(text.substr(0, limit)) + "...";
}

std::string number_text(double value) {
  return std::isnan(value) ? "NaN" : fmt::format("{}", value);
}

}  // namespace lra

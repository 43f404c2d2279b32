#include "tasks/io/npy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "engine/base/error.h"
#include "tasks/io/lines.h"

namespace lra::tasks {
namespace {

constexpr std::size_t kMostDimensions = 8;

// The text between the first `before` and the next `after`.
std::string_view between(std::string_view text, std::string_view before, std::string_view after) {
  const std::size_t start = text.find(before);
  if (start == std::string_view::npos) return {};
  text.remove_prefix(start + before.size());
  return text.substr(0, text.find(after));
}

std::optional<std::size_t> size_in(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > (1U << 30U)) return {};
  return value;
}

// The sizes in "60000, 28, 28" or "60000,"; empty for another text.
std::optional<std::vector<std::size_t>> parse_shape(std::string_view text) {
  std::vector<std::size_t> shape;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view part = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (text.empty() && !shape.empty() && part.find_first_not_of(' ') == std::string_view::npos) {
      break;
    }
    const auto size = size_in(part);
    if (!size || shape.size() == kMostDimensions) return std::nullopt;
    shape.push_back(*size);
  }
  if (shape.empty()) return std::nullopt;
  return shape;
}

// Bytes of an element of a type; empty for an unsupported type.
std::optional<std::size_t> item_bytes(std::string_view type) {
  if (type.size() < 3 || (type[0] != '<' && type[0] != '|')) return std::nullopt;
  const auto size = size_in(type.substr(2));
  if (!size || *size == 0 || *size > 4096) return std::nullopt;
  switch (type[1]) {
    case 'b':
      return *size == 1 ? size : std::nullopt;
    case 'i':
    case 'u':
      return *size == 1 || *size == 2 || *size == 4 || *size == 8 ? size : std::nullopt;
    case 'f':
      return *size == 4 || *size == 8 ? size : std::nullopt;
    case 'S':
      return size;
    case 'U':
      return *size * 4;
    default:
      return std::nullopt;
  }
}

template <class Number>
double number_at(const char* bytes) {
  Number value;
  std::memcpy(&value, bytes, sizeof value);
  return static_cast<double>(value);
}

}  // namespace

std::size_t NpyArray::size() const {
  std::size_t product = 1;
  for (const std::size_t n : shape) product *= n;
  return product;
}

bool NpyArray::is_numeric() const {
  return type[1] == 'b' || type[1] == 'i' || type[1] == 'u' || type[1] == 'f';
}

double NpyArray::number(std::size_t index) const {
  const char* bytes = data.data() + index * item_bytes;
  const char kind = type[1];
  if (kind == 'f') return item_bytes == 4 ? number_at<float>(bytes) : number_at<double>(bytes);
  const bool sign = kind == 'i';
  switch (item_bytes) {
    case 1:
      return sign ? number_at<std::int8_t>(bytes) : number_at<std::uint8_t>(bytes);
    case 2:
      return sign ? number_at<std::int16_t>(bytes) : number_at<std::uint16_t>(bytes);
    case 4:
      return sign ? number_at<std::int32_t>(bytes) : number_at<std::uint32_t>(bytes);
    default:
      return sign ? number_at<std::int64_t>(bytes) : number_at<std::uint64_t>(bytes);
  }
}

NpyArray parse_npy(std::string_view content, const std::string& where) {
  if (!content.starts_with(kNpyMagic)) {
    fail(ErrorKind::data, "{}: not a NumPy array; got '{}'", where,
         printable(content.substr(0, kNpyMagic.size())));
  }
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(content[i]); };
  if (content.size() < 8) fail(ErrorKind::data, "{}: truncated NumPy header", where);
  if (byte(6) < 1 || byte(6) > 3) {
    fail(ErrorKind::data, "{}: NumPy format version; got {}.{}, expected 1, 2 or 3", where, byte(6),
         byte(7));
  }
  const std::size_t prefix = byte(6) == 1 ? 10 : 12;
  if (content.size() < prefix) fail(ErrorKind::data, "{}: truncated NumPy header", where);
  std::size_t length = byte(8) + (std::size_t{byte(9)} << 8U);
  if (prefix == 12) length += (std::size_t{byte(10)} << 16U) + (std::size_t{byte(11)} << 24U);
  if (length > content.size() - prefix) {
    fail(ErrorKind::data, "{}: truncated NumPy header", where);
  }
  const std::string_view header = content.substr(prefix, length);
  NpyArray array;
  array.type = between(header, "'descr': '", "'");
  const auto shape = parse_shape(between(header, "'shape': (", ")"));
  const auto bytes = item_bytes(array.type);
  if (!array.type.empty() && !bytes) {
    fail(ErrorKind::data,
         "{}: NumPy header: dtype; got '{}', expected |b1, |i1, |u1, <i2, <u2, <i4, <u4, <i8, <u8, "
         "<f4, <f8 or strings |S, <U; convert it with astype",
         where, printable(array.type));
  }
  if (between(header, "'fortran_order': ", ",") != "False" || !shape || !bytes) {
    fail(ErrorKind::data,
         "{}: NumPy header; got '{}', expected a C-ordered array of numbers or strings", where,
         printable(header));
  }
  array.shape = *shape;
  array.item_bytes = *bytes;
  array.data = content.substr(prefix + length);
  // Sizes may be anything: compared by division, so that no product wraps.
  std::size_t left = array.data.size() / array.item_bytes;
  bool fits = array.data.size() % array.item_bytes == 0;
  const bool empty = std::find(array.shape.begin(), array.shape.end(), 0U) != array.shape.end();
  for (const std::size_t n : array.shape) {
    if (empty) break;
    fits = fits && left % n == 0;
    left /= n;
  }
  if (empty ? !array.data.empty() : !fits || left != 1) {
    fail(ErrorKind::data, "{}: NumPy array; got {} bytes of data, expected those of shape ({})",
         where, array.data.size(), between(header, "'shape': (", ")"));
  }
  return array;
}

}  // namespace lra::tasks

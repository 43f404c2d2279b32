#pragma once
// NumPy's .npy files (format versions 1 to 3: numpy.lib.format) in memory.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lra::tasks {

// An array in C order; views into the file's content.
struct NpyArray {
  std::string type;                // as NumPy spells it: "|u1", "<i8", "<f4", "<U12", ...
  std::size_t item_bytes = 0;      // of an element
  std::vector<std::size_t> shape;  // one size or more
  std::string_view data;           // elements in C order

  [[nodiscard]] std::size_t size() const;  // product of the shape
  // Element `index` as a number: booleans, integers and floats of up to 8 bytes, little endian.
  // Precondition: is_numeric().
  [[nodiscard]] double number(std::size_t index) const;
  [[nodiscard]] bool is_numeric() const;
};

inline constexpr std::string_view kNpyMagic = "\x93NUMPY";

// Throws Error(data), beginning with `where`, for a malformed or truncated file, another format
// version, Fortran order, half floats, big endian numbers, objects and structures.
[[nodiscard]] NpyArray parse_npy(std::string_view content, const std::string& where);

}  // namespace lra::tasks

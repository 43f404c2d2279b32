#pragma once
// What the fuzz targets share (libFuzzer, see tools/fuzz.sh): a reader may refuse its input with an
// Error and must do nothing else but read it.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/base/error.h"

namespace lra::fuzz {

[[nodiscard]] inline std::string_view text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Runs a reader; an Error of the kind that bad input brings is an answer, all else ends the
// program.
template <class Read>
void read(const Read& reader, ErrorKind kind = ErrorKind::data) {
  try {
    reader();
  } catch (const Error& error) {
    if (error.kind() != kind) throw;
  }
}

// Keeps what was read alive: a reader whose results are not looked at might be optimised away.
inline void look_at(std::string_view bytes) {
  static volatile std::uint8_t sink = 0;
  for (const char byte : bytes)
    sink = static_cast<std::uint8_t>(sink ^ static_cast<std::uint8_t>(byte));
}

}  // namespace lra::fuzz

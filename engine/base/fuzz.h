#pragma once
// Helpers of the fuzz targets (libFuzzer, see tools/fuzz.sh): a reader either reads its input or
// refuses it with an Error.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/base/error.h"

namespace lra::fuzz {

[[nodiscard]] inline std::string_view text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Runs a reader; an Error of a kind for bad input is accepted, any other exception ends the
// program.
template <class Read>
void read(const Read& reader, ErrorKind kind = ErrorKind::data) {
  try {
    reader();
  } catch (const Error& error) {
    if (error.kind() != kind) throw;
  }
}

// Uses the result, so that the reader is not optimised away.
inline void look_at(std::string_view bytes) {
  static volatile std::uint8_t sink = 0;
  for (const char byte : bytes)
    sink = static_cast<std::uint8_t>(sink ^ static_cast<std::uint8_t>(byte));
}

}  // namespace lra::fuzz

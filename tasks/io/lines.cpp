#include "tasks/io/lines.h"

namespace lra::tasks {

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, 40)) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte >= 0x7F ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return result + (text.size() > 40 ? "..." : "");
}

}  // namespace lra::tasks

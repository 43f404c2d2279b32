#include "tasks/io/lines.h"

#include <algorithm>

namespace lra::tasks {

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, 40)) {
    const auto byte = static_cast<unsigned char>(c);
    result += byte < 0x20 || byte >= 0x7F ? fmt::format("\\x{:02x}", byte) : std::string(1, c);
  }
  return result + (text.size() > 40 ? "..." : "");
}

std::string_view without_mark(std::string_view content, const std::string& file) {
  if (content.starts_with("\xff\xfe") || content.starts_with("\xfe\xff")) {
    fail(ErrorKind::data, "{}:1: got UTF-16, expected UTF-8", file);
  }
  if (content.starts_with("\xef\xbb\xbf")) content.remove_prefix(3);
  return content;
}

void for_line_blocks(const std::function<std::size_t(std::span<std::byte>)>& next,
                     const std::function<void(std::string_view, std::int64_t, bool)>& take) {
  constexpr std::size_t kBlock = std::size_t{1} << 20U;
  std::string kept;
  std::int64_t before = 0;
  bool last = false;
  while (!last) {
    const std::size_t old = kept.size();
    std::size_t filled = 0;
    kept.resize(old + kBlock);
    while (filled < kBlock && !last) {
      const std::size_t got =
          next(std::as_writable_bytes(std::span(kept)).subspan(old + filled, kBlock - filled));
      filled += got;
      last = got == 0;
    }
    kept.resize(old + filled);
    const std::size_t end = last ? kept.size() : kept.rfind('\n') + 1;  // npos + 1: no whole line
    if (end == 0 && !last) continue;
    const std::string_view lines(kept.data(), end);
    take(lines, before, last);
    before += std::count(lines.begin(), lines.end(), '\n');
    kept.erase(0, end);
  }
}

}  // namespace lra::tasks

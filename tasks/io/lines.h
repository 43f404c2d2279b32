#pragma once
// Lines of a text file in memory, with their numbers, for strict readers of tables.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace lra::tasks {

struct Line {
  std::string_view text;  // without its line end
  std::int64_t number = 0;
  bool ended = true;  // false: the file ends without a line end
};

// Cuts at LF; a CR before it belongs to the line end (if `windows`).
class LineReader {
 public:
  explicit LineReader(std::string_view content, bool windows = true)
      : rest_(content), windows_(windows) {}

  bool next(Line& line) {
    if (rest_.empty()) return false;
    const std::size_t end = rest_.find('\n');
    line.ended = end != std::string_view::npos;
    line.text = rest_.substr(0, end);
    line.number = ++number_;
    rest_.remove_prefix(line.ended ? end + 1 : rest_.size());
    if (windows_ && line.ended && line.text.ends_with('\r')) line.text.remove_suffix(1);
    return true;
  }

 private:
  std::string_view rest_;
  bool windows_;
  std::int64_t number_ = 0;
};

// "file:line", as faults begin.
[[nodiscard]] inline std::string line_place(const std::string& file, std::int64_t number) {
  return fmt::format("{}:{}", file, number);
}

// Text for a message: at most 40 characters, control and non-ASCII bytes as \xNN.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace lra::tasks

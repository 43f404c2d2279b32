#pragma once
// Numbered lines of a text file in memory, for strict readers of tables.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
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

// Cuts at LF; a CR before it belongs to the line end (if `windows`). The first line's number is one
// more than `before`.
class LineReader {
 public:
  explicit LineReader(std::string_view content, bool windows = true, std::int64_t before = 0)
      : rest_(content), windows_(windows), number_(before) {}

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
  std::int64_t number_;
};

// Removes the byte order mark of UTF-8, which some editors and spreadsheets write.
// Throws Error(data) that names the file if the text is UTF-16.
[[nodiscard]] std::string_view without_mark(std::string_view content, const std::string& file);

// Calls take(lines, before, last) for a text that arrives in pieces, with about a megabyte of
// complete lines, the number of lines before them, and whether they end the text. The last piece
// may lack its line end; an empty text is one empty piece. next(buffer) gives the next bytes, 0 at
// the end.
void for_line_blocks(const std::function<std::size_t(std::span<std::byte>)>& next,
                     const std::function<void(std::string_view, std::int64_t, bool)>& take);

// "file:line", as faults begin.
[[nodiscard]] inline std::string line_place(const std::string& file, std::int64_t number) {
  return fmt::format("{}:{}", file, number);
}

// Text for a message: at most 40 characters, control and non-ASCII bytes as \xNN.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace lra::tasks

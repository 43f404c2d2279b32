#pragma once
// Tables: CSV with the quotes of RFC 4180, and TSV with or without them.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/io/lines.h"

namespace lra::tasks {

// Records of fields, each with the line on which it begins. A comma separates with quotes; a tab
// with quotes if all of them obey RFC 4180 (as data-frame libraries write it), else quotes are
// text. Throws Error(data) naming file and line for an unclosed quotation mark and for text after a
// closing one. `content` must outlive the reader.
class TableReader {
 public:
  TableReader(std::string_view content, const std::string& file, char separator);
  // False at the end. A fields vector is reused.
  [[nodiscard]] bool next(std::vector<std::string>& fields, std::int64_t& line);

 private:
  bool next_plain(std::vector<std::string>& fields, std::int64_t& line);
  bool next_quoted(std::vector<std::string>& fields, std::int64_t& line);
  std::string bare();
  std::string quoted();

  LineReader lines_;
  std::string_view rest_;
  std::string file_;
  char separator_;
  bool quotes_;
  std::array<char, 2> ends_;
  std::int64_t line_ = 1;
};

// A copy with A to Z as a to z.
[[nodiscard]] std::string lower_case(std::string_view text);

}  // namespace lra::tasks

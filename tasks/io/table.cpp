#include "tasks/io/table.h"

#include <algorithm>

#include "engine/base/error.h"

namespace lra::tasks {
namespace {

// Whether all quotation marks of a table obey RFC 4180: they enclose whole fields, and those inside
// are doubled.
bool obeys_quotes(std::string_view content, char separator) {
  const std::string ends = std::string(1, separator) + "\n\"";
  while (!content.empty()) {
    if (content.front() != '"') {
      const std::size_t end = std::min(content.find_first_of(ends), content.size());
      if (content.substr(end).starts_with('"')) return false;
      content.remove_prefix(std::min(end + 1, content.size()));
      continue;
    }
    for (bool inside = true; inside;) {  // at a mark that opens, or at the second of a pair
      const std::size_t close = content.find('"', 1);
      if (close == std::string_view::npos) return false;
      content.remove_prefix(close + 1);
      inside = content.starts_with('"');
    }
    if (content.starts_with("\r\n")) content.remove_prefix(1);
    if (!content.empty() && content.front() != separator && content.front() != '\n') return false;
    content.remove_prefix(std::min<std::size_t>(1, content.size()));
  }
  return true;
}

}  // namespace

TableReader::TableReader(std::string_view content, const std::string& file, char separator)
    : lines_(content),
      rest_(content),
      file_(file),
      separator_(separator),
      quotes_(separator == ',' || obeys_quotes(content, separator)),
      ends_{separator, '\n'} {}

bool TableReader::next(std::vector<std::string>& fields, std::int64_t& line) {
  fields.clear();
  return quotes_ ? next_quoted(fields, line) : next_plain(fields, line);
}

bool TableReader::next_plain(std::vector<std::string>& fields, std::int64_t& line) {
  Line record;
  if (!lines_.next(record)) return false;
  line = record.number;
  std::string_view rest = record.text;
  for (std::size_t end = rest.find(separator_); end != std::string_view::npos;
       end = rest.find(separator_)) {
    fields.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  fields.emplace_back(rest);
  return true;
}

bool TableReader::next_quoted(std::vector<std::string>& fields, std::int64_t& line) {
  if (rest_.empty()) return false;
  line = line_;
  for (;;) {
    fields.push_back(rest_.starts_with('"') ? quoted() : bare());
    const char end = rest_.empty() ? '\n' : rest_.front();
    if (!rest_.empty()) rest_.remove_prefix(1);
    if (end == separator_) continue;
    ++line_;
    return true;
  }
}

// Text up to the separator or line end, which is not consumed; a CR before the LF is dropped.
std::string TableReader::bare() {
  const std::size_t end =
      std::min(rest_.find_first_of(std::string_view(ends_.data(), ends_.size())), rest_.size());
  std::string field(rest_.substr(0, end));
  rest_.remove_prefix(end);
  if (field.ends_with('\r') && !rest_.starts_with(separator_)) field.pop_back();
  return field;
}

std::string TableReader::quoted() {
  const std::int64_t begin = line_;
  std::string field;
  rest_.remove_prefix(1);
  for (;;) {
    const std::size_t quote = rest_.find('"');
    if (quote == std::string_view::npos) {
      fail(ErrorKind::data, "{}: a quotation mark that is never closed", line_place(file_, begin));
    }
    field += rest_.substr(0, quote);
    line_ += std::count(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(quote), '\n');
    rest_.remove_prefix(quote + 1);
    if (!rest_.starts_with('"')) break;
    field += '"';
    rest_.remove_prefix(1);
  }
  if (rest_.starts_with("\r\n")) rest_.remove_prefix(1);
  if (!rest_.empty() && rest_.front() != separator_ && rest_.front() != '\n') {
    fail(ErrorKind::data, "{}: text after a closing quotation mark; got '{}'",
         line_place(file_, line_), printable(rest_.substr(0, 1)));
  }
  return field;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

}  // namespace lra::tasks

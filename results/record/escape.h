#pragma once
// Text of records made safe for the formats it is written into: a label, a reason or a title comes
// from a file that somebody else may have written.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lra::results {

// The text with each `first` replaced by its `second`; earlier rules win.
[[nodiscard]] std::string replaced(std::string_view text,
                                   const std::vector<std::pair<std::string, std::string>>& rules);

// One line without control characters: each becomes a space. A terminal executes them.
[[nodiscard]] std::string one_line(std::string_view text);

// Neither markup nor a link nor a new table cell in Markdown.
[[nodiscard]] std::string markdown_escape(std::string_view text);

[[nodiscard]] std::string html_escape(std::string_view text);

[[nodiscard]] std::string latex_escape(std::string_view text);

// One field of a CSV line (RFC 4180), quoted where needed. Text that a spreadsheet would take for a
// formula (it begins with =, +, -, @, a tab or a line break, and is not a number) gets an
// apostrophe in front (https://owasp.org/www-community/attacks/CSV_Injection).
[[nodiscard]] std::string csv_field(std::string_view text);

}  // namespace lra::results

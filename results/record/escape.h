#pragma once
// Escapes text of records for output formats: labels, reasons and titles come from untrusted files.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lra::results {

// The text with each `first` replaced by its `second`; earlier rules win.
[[nodiscard]] std::string replaced(std::string_view text,
                                   const std::vector<std::pair<std::string, std::string>>& rules);

// One line with a space for each control character, because a terminal would execute them.
[[nodiscard]] std::string one_line(std::string_view text);

// Text without effect as markup, link or table cell in Markdown.
[[nodiscard]] std::string markdown_escape(std::string_view text);

[[nodiscard]] std::string html_escape(std::string_view text);

[[nodiscard]] std::string latex_escape(std::string_view text);

// One field of a CSV line (RFC 4180), quoted where needed. Text that a spreadsheet would take for a
// formula (it begins with =, +, -, @, a tab or a line break, and is not a number) gets an
// apostrophe in front (https://owasp.org/www-community/attacks/CSV_Injection).
[[nodiscard]] std::string csv_field(std::string_view text);

}  // namespace lra::results

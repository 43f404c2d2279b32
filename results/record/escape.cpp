#include "results/record/escape.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace lra::results {
namespace {

bool is_number(const std::string& text) {
  if (text.find_first_not_of("+-.0123456789eE") != std::string::npos) return false;
  char* end = nullptr;
  static_cast<void>(std::strtod(text.c_str(), &end));
  return !text.empty() && *end == '\0';
}

}  // namespace

std::string replaced(std::string_view text,
                     const std::vector<std::pair<std::string, std::string>>& rules) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const auto& candidate) {
      return text.substr(i, candidate.first.size()) == candidate.first;
    });
    out += rule == rules.end() ? std::string(1, text[i]) : rule->second;
    i += rule == rules.end() ? 1 : rule->first.size();
  }
  return out;
}

std::string one_line(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

std::string markdown_escape(std::string_view text) {
  return replaced(one_line(text), {{"\\", "\\\\"},
                                   {"|", "\\|"},
                                   {"<", "&lt;"},
                                   {"*", "\\*"},
                                   {"_", "\\_"},
                                   {"[", "\\["},
                                   {"]", "\\]"},
                                   {"`", "\\`"}});
}

std::string html_escape(std::string_view text) {
  return replaced(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string latex_escape(std::string_view text) {
  return replaced(one_line(text), {{"\\", "\\textbackslash{}"},
                                   {"&", "\\&"},
                                   {"%", "\\%"},
                                   {"$", "\\$"},
                                   {"#", "\\#"},
                                   {"_", "\\_"},
                                   {"{", "\\{"},
                                   {"}", "\\}"},
                                   {"~", "\\textasciitilde{}"},
                                   {"^", "\\textasciicircum{}"},
                                   {"<", "\\textless{}"},
                                   {">", "\\textgreater{}"},
                                   {"|", "\\textbar{}"},
                                   {"\"", "''"},
                                   {"—", "---"},
                                   {"–", "--"},
                                   {"≤", "$\\leq$"},
                                   {"√", "$\\surd$"},
                                   {"±", "$\\pm$"},
                                   {"Δ", "$\\Delta$"},
                                   {"↑", "$\\uparrow$"},
                                   {"↓", "$\\downarrow$"}});
}

std::string csv_field(std::string_view text) {
  static const std::vector<std::string> starts{"=",  "+",  "-",  "@",  "\t", "\r",
                                               "\n", "＝", "＋", "－", "＠"};
  std::string field(text);
  const bool formula = std::any_of(starts.begin(), starts.end(), [&](const std::string& start) {
    return field.starts_with(start);
  });
  if (formula && !is_number(field)) field.insert(0, 1, '\'');
  if (field.find_first_of(",\"\n\r") == std::string::npos) return field;
  return fmt::format("\"{}\"", replaced(field, {{"\"", "\"\""}}));
}

}  // namespace lra::results

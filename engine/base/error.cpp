#include "engine/base/error.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>

#include "engine/base/text.h"

namespace lra {
namespace {

// Levenshtein distance.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

int exit_code(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::usage:
    case ErrorKind::config:
      return 2;
    case ErrorKind::data:
    case ErrorKind::io:
      return 3;
    case ErrorKind::numeric:
      return 4;
    case ErrorKind::shape:
    case ErrorKind::backend:
      return 1;
  }
  return 1;
}

std::string unknown_name_message(std::string_view kind, std::string_view name,
                                 const std::vector<std::string>& known) {
  std::vector<std::string> near;
  constexpr std::size_t kLongestName = 200;  // the distance takes the product of both lengths
  for (const auto& candidate : known) {
    const bool prefix = name.size() >= 3 && candidate.starts_with(name.substr(0, 3));
    if (prefix || (name.size() <= kLongestName &&
                   edit_distance(name, candidate) <= std::max<std::size_t>(2, name.size() / 3))) {
      near.push_back(candidate);
    }
  }
  std::string message = fmt::format("unknown {} '{}'", kind, shortened(name));
  if (!near.empty()) message += fmt::format("; did you mean {}?", fmt::join(near, ", "));
  return message + fmt::format("; known: {}", fmt::join(known, ", "));
}

}  // namespace lra

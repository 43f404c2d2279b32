#include "engine/base/error.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "engine/base/near.h"
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

std::vector<std::string> near_matches(std::string_view name,
                                      const std::vector<std::string>& known) {
  constexpr std::size_t kLongestName = 200;  // the distance takes the product of both lengths
  std::vector<std::pair<std::size_t, std::string>> near;
  if (name.size() > kLongestName) return {};
  for (const auto& candidate : known) {
    const bool prefix = name.size() >= 3 && candidate.starts_with(name.substr(0, 3));
    const std::size_t distance = edit_distance(name, candidate);
    if (prefix || distance <= std::max<std::size_t>(2, name.size() / 3)) {
      near.emplace_back(distance, candidate);
    }
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  for (auto& [distance, candidate] : near) names.push_back(std::move(candidate));
  return names;
}

std::string unknown_name_message(std::string_view kind, std::string_view name,
                                 const std::vector<std::string>& known) {
  const std::vector<std::string> near = near_matches(name, known);
  std::string message = fmt::format("unknown {} '{}'", kind, shortened(name));
  if (!near.empty()) message += fmt::format("; did you mean {}?", fmt::join(near, ", "));
  return message + fmt::format("; known: {}", fmt::join(known, ", "));
}

}  // namespace lra

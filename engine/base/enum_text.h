#pragma once
// Enumerations with texts, the names of their values in options, presets and records. Defined
// beside an enumeration whose enumerators count from 0, in its namespace:
//
//   enum class NormPlace { pre, post };
//   constexpr auto texts(NormPlace) { return enum_texts("pre", "post"); }
//
// Inside a class it is a friend, friend constexpr auto texts(NormPlace) { .. }, above every body
// that calls name_of() itself.

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lra {

template <class... Text>
[[nodiscard]] constexpr std::array<std::string_view, sizeof...(Text)> enum_texts(
    const Text&... text) {
  return {text...};
}

template <class E>
[[nodiscard]] constexpr std::string_view name_of(E value) {
  return texts(value).at(static_cast<std::size_t>(value));
}

// The texts of all values in their order, for checks and messages.
template <class E>
[[nodiscard]] std::vector<std::string> words_of() {
  const auto all = texts(E());
  return {all.begin(), all.end()};
}

// The enumerator with this text; none for an unknown text.
template <class E>
[[nodiscard]] constexpr std::optional<E> enum_of(std::string_view text) {
  const auto all = texts(E());
  const auto found = std::find(all.begin(), all.end(), text);
  if (found == all.end()) return std::nullopt;
  return static_cast<E>(found - all.begin());
}

}  // namespace lra

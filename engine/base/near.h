#pragma once
// Near matches of a mistyped word. Not installed.

#include <string>
#include <string_view>
#include <vector>

namespace lra {

// The words of `known` that begin with the same three letters or differ from `name` in few letters,
// the nearest first.
[[nodiscard]] std::vector<std::string> near_matches(std::string_view name,
                                                    const std::vector<std::string>& known);

}  // namespace lra

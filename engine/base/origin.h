#pragma once
// Origin of data, which decides whether a figure may stand beside the literature.

#include <optional>
#include <string_view>

namespace lra {

// Official: the benchmark's own data. Generated: made by the benchmark's official algorithm.
// Official cut: the first examples of the official data. Stand-in: everything else, such as
// pseudo-text, or other data in the official format. Own: a data set of the user's, which is no
// task of the benchmark. The last three are not comparable with the literature.
enum class Origin { official, generated, official_cut, stand_in, own };

// "official", "generated", "official-cut", "stand-in", "own".
[[nodiscard]] constexpr std::string_view name_of(Origin origin) {
  switch (origin) {
    case Origin::official:
      return "official";
    case Origin::generated:
      return "generated";
    case Origin::official_cut:
      return "official-cut";
    case Origin::stand_in:
      return "stand-in";
    case Origin::own:
      return "own";
  }
  return "";
}

// The origin of that name; empty for an unknown name.
[[nodiscard]] constexpr std::optional<Origin> origin_named(std::string_view name) {
  for (const Origin origin :
       {Origin::official, Origin::generated, Origin::official_cut, Origin::stand_in, Origin::own}) {
    if (name_of(origin) == name) return origin;
  }
  return std::nullopt;
}

// True for official and generated data.
[[nodiscard]] constexpr bool is_comparable(Origin origin) {
  return origin == Origin::official || origin == Origin::generated;
}

}  // namespace lra

#include "harness/check/golden_optional.h"

#include <algorithm>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attention/attention.h"
#include "engine/base/error.h"
#include "harness/check/golden_layout.h"

namespace lra::harness {
namespace {

using nlohmann::json;

// Entries of an optional case's hyper that no required case of the file has.
std::vector<std::string> special_entries(const GoldenFile& file, const GoldenCase& c) {
  std::vector<std::string> special;
  for (const auto& [key, value] : c.hyper.items()) {
    const bool usual = std::any_of(
        file.cases.begin(), file.cases.end(), [&, &k = key, &v = value](const GoldenCase& other) {
          return !other.optional && other.hyper.contains(k) && other.hyper[k] == v;
        });
    if (!usual) special.push_back(key);
  }
  return special;
}

}  // namespace

void look_for_the_unoffered(const GoldenFile& file, const GoldenCase& c, std::string_view variant,
                            const json& options, GoldenComputed& result) {
  const attention::Traits& traits = attention::registry().at(variant).traits;
  const GoldenSizes sizes = read_sizes(c);
  if (options.value("causal", c.hyper.value("causal", json(false))) == true && !traits.causal) {
    result.not_offered = "causal";
  }
  if (sizes.N != sizes.M && !traits.cross) result.not_offered = "cross-attention";
  // The operation inside a block without a runner for its core.
  if (traits.input == attention::Input::block && c.hyper.value("level", json()) == "core") {
    result.not_offered = "level = \"core\"";
  }
  try {
    static_cast<void>(attention::create(variant, options));
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::config) throw;
    result.not_offered = e.what();
  }
  std::vector<std::string> special = special_entries(file, c);
  if (around_heads(c, traits)) {
    std::erase(special, "level");
    std::erase(special, "heads");
  }
  std::size_t understood = 0;
  for (const std::string& key : special) {
    json rest = c.hyper;
    rest.erase(key);
    if (attention::registry().at(variant).create()->golden_options(rest) != options) {
      ++understood;
    } else {
      result.ignored +=
          fmt::format("{}{} = {}", result.ignored.empty() ? "" : ", ", key, c.hyper[key].dump());
    }
  }
  if (!special.empty() && understood == 0 && result.not_offered.empty()) {
    result.not_offered = result.ignored;
  }
}

}  // namespace lra::harness

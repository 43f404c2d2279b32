// What every record that there is relies on: the defaults and limits of each variant's options
// (options.txt), and of its own parameters the initial values that a seed stands for, of which two
// sums are pinned. A variant that is new needs no entry.

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "attention/attention.h"
#include "tests/catch.h"

namespace lra::attention {
namespace {

// The sum of all magnitudes, and a sum in which each place has a weight of its own.
using Sums = std::pair<double, double>;

Sums sums_of(const std::string& name) {
  Dimensions d;
  d.heads = 2;
  d.head_dim = 8;
  d.width = 16;
  d.max_length = 32;
  d.layer = 1;
  d.layers = 2;
  engine::Parameters parameters;
  const auto attention = create(name, nlohmann::json::object());  // some draw with its settings
  attention->build(ParameterBuilder(parameters, "attention."), d);
  parameters.initialise(1, engine::DType::f32);
  Sums sums;
  for (const auto& entry : parameters.entries()) {
    const std::vector<float> values = parameters.tensor(entry).to_floats();
    for (std::size_t i = 0; i < values.size(); ++i) {
      sums.first += std::abs(double{values[i]});
      sums.second += double{values[i]} * std::sin(static_cast<double>(i + 1));
    }
  }
  return sums;
}

const std::map<std::string, Sums>& pinned() {
  static const std::map<std::string, Sums> table{
      {"delta_net", {60.4423385, 3.58946922}},
      {"differential", {9.45558747, 1.71177292}},
      {"focused", {10.9655361, 0.83079063}},
      {"fox", {4.30201748, 1.10466782}},
      {"gated_deltanet", {112.316227, -4.47051768}},
      {"gla", {110.21629, 1.25708502}},
      {"hedgehog", {32, 3.36950296}},
      {"hgrn", {271.926365, 5.68346597}},
      {"hgrn2", {16, 1.64778416}},
      {"hydra_ssm", {1207.4332, -4.55790334}},
      {"hyena", {998.03574, 4.85640238}},
      {"inline", {102.436834, -5.49004096}},
      {"kda", {144.229608, 4.33932739}},
      {"leapformer", {2.79995872, -0.184920873}},
      {"linformer", {259.822436, 2.11031786}},
      {"lion", {4.48299961, -0.37132342}},
      {"lru", {399.566365, 0.478919253}},
      {"luna", {228.568179, 1.68144954}},
      {"mamba", {1482.69395, -1.32045479}},
      {"mamba2", {703.918924, 5.56136365}},
      {"mega", {1140.52708, 0.198647198}},
      {"mega_ema", {1116.30439, -13.4804051}},
      {"mlstm", {9.13112002, 7.86279717}},
      {"nystromformer", {6.24078061, 0.104274126}},
      {"polaformer", {46.6399248, 1.37353176}},
      {"rwkv7", {303.745458, 4.95272427}},
      {"s4d", {26610.3714, 193.461009}},
      {"sgconv", {1945.61743, 44.7025238}},
      {"sinkhorn", {3.41999048, -0.158674477}},
      {"synthesizer", {637.89846, -5.12048447}},
      {"tnn", {58.8822148, 1.78995531}},
  };
  return table;
}

TEST_CASE("attention: the defaults and limits of options are pinned", "[unit]") {
  std::map<std::string, std::string> there;  // "variant.option" to "default, range"
  for (const auto& name : registry().names()) {
    const auto attention = create(name, nlohmann::json::object());
    OptionTable table;
    attention->options(table);
    for (const auto& option : table.describe()) {
      there[fmt::format("{}.{}", name, option["name"].get<std::string>())] =
          fmt::format("{}, {}", option["default"].dump(), option["range"].get<std::string>());
    }
  }
  std::ifstream file(std::string(testing::source_dir()) + "/attention/check/options.txt");
  REQUIRE(file);
  std::map<std::string, std::string> pinned_options;
  std::set<std::string> pinned_variants;
  for (std::string line; std::getline(file, line);) {
    const auto equals = line.find(" = ");
    const std::string option = line.substr(0, equals);
    pinned_options[option] = line.substr(equals + 3);
    pinned_variants.insert(option.substr(0, option.find('.')));
    CAPTURE(option);
    CHECK(there[option] == pinned_options[option]);
  }
  for (const auto& [option, what] : there) {  // an option that was added to a pinned variant
    if (pinned_variants.count(option.substr(0, option.find('.'))) == 0) continue;
    CAPTURE(option, what);
    CHECK(pinned_options.count(option) == 1);
  }
}

TEST_CASE("attention: the initial values of a seed are pinned", "[unit]") {
  for (const auto& name : registry().names()) {
    const Sums sums = sums_of(name);
    INFO(fmt::format("{{\"{}\", {{{:.9g}, {:.9g}}}}},", name, sums.first, sums.second));
    const auto expected = pinned().find(name);
    if (expected == pinned().end()) continue;
    CHECK(sums.first == testing::Approx(expected->second.first).epsilon(1e-6));
    CHECK(sums.second == testing::Approx(expected->second.second).epsilon(1e-5).margin(1e-5));
  }
  for (const auto& [name, unused] : pinned()) {
    INFO(name);
    CHECK_NOTHROW(registry().at(name));
  }
}

}  // namespace
}  // namespace lra::attention

// What holds for every variant of the registry: a new one is covered by being registered.

#include "attention/attention.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "attention/check/trial.h"
#include "engine/compute/primitives/primitives.h"
#include "engine/runtime.h"
#include "tests/catch.h"

namespace lra::attention {
namespace {

using nlohmann::json;

constexpr std::int64_t kSamples = 6;      // entries of each gradient that are differentiated
constexpr double kSameOperations = 1e-5;  // other tile sizes or orders of the same sums in f32
constexpr double kBf16Output = 3e-2;      // the guide of the golden files
constexpr double kBf16Gradient = 6e-2;

// Calls check(name, traits) for every variant; a failure names the variant.
template <class Check>
void for_each_variant(const Check& check) {
  for (const std::string& name : registry().names()) {
    INFO("variant " << name);
    check(name, registry().at(name).traits);
  }
}

// The small options and the defaults.
std::vector<json> usual_options(const std::string& name) {
  std::vector<json> options{option_sets(name).front()};
  if (options.front() != json::object()) options.push_back(json::object());
  return options;
}

// Largest error of all gradients, relative to the largest gradient.
double gradient_error(const Probe& probe, const Tensors& actual, const Probe& other,
                      const Tensors& expected) {
  double scale = 0;
  for (const auto& [name, tensor] : expected) {
    for (const double g : other.real_rows(name, tensor).data) scale = std::max(scale, std::abs(g));
  }
  double worst = 0;
  for (const auto& [name, tensor] : expected) {
    worst = std::max(worst, relative_error(probe.real_rows(name, actual.at(name)),
                                           other.real_rows(name, tensor), scale));
  }
  return worst;
}

double output_error(const Probe& probe, const Probe::Result& actual, const Probe& other,
                    const Probe::Result& expected) {
  return relative_error(probe.real_rows("q", actual.out), other.real_rows("q", expected.out));
}

bool same_bits(const Probe::Result& a, const Probe::Result& b) {
  bool same = a.out.to_floats() == b.out.to_floats();
  for (const auto& [name, tensor] : a.gradients) {
    same = same && tensor.to_floats() == b.gradients.at(name).to_floats();
  }
  return same;
}

bool finite(const Tensor& tensor) {
  const std::vector<float> values = tensor.to_floats();
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}

bool finite(const Probe::Result& result) {
  return finite(result.out) && std::all_of(result.gradients.begin(), result.gradients.end(),
                                           [](const auto& entry) { return finite(entry.second); });
}

TEST_CASE("attention: every file that registers a variant is in the registry, under its name",
          "[unit]") {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::string(lra::testing::source_dir()) + "/attention")) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream stream(entry.path());
    std::string line;
    while (std::getline(stream, line)) {
      if (line.starts_with("LRA_ATTENTION(")) files.push_back(entry.path().stem().string());
    }
  }
  std::sort(files.begin(), files.end());
  CHECK(files == registry().names());
}

TEST_CASE("attention: metadata is complete", "[unit]") {
  for_each_variant([](const std::string& name, const Traits& traits) {
    CHECK_FALSE(traits.label.empty());
    CHECK_FALSE(traits.cite.empty());
    for (const std::string& alias : traits.aliases) CHECK(registry().canonical(alias) == name);
    const json options = resolved_options(name, json::object());
    CHECK(options.contains("causal") == traits.causal);
  });
}

TEST_CASE("attention: an unknown option is refused by name", "[unit]") {
  for_each_variant([](const std::string& name, const Traits&) {
    CHECK_THROWS_WITH(create(name, {{"no_such_option", 1}}),
                      testing::ContainsSubstring("no_such_option"));
  });
}

TEST_CASE("attention: the option causal is there where the metadata say so and nowhere else",
          "[unit]") {
  for_each_variant([](const std::string& name, const Traits& traits) {
    const json causal{{"causal", true}};
    if (traits.causal) {
      CHECK_NOTHROW(create(name, causal));
    } else {
      CHECK_THROWS_AS(create(name, causal), Error);
    }
  });
}

TEST_CASE("attention: output and all gradients agree with the definition", "[grad]") {
  for_each_variant([](const std::string& name, const Traits& traits) {
    const Tolerance tolerance = definition_tolerance(traits);
    const std::vector<DefinitionCase> cases = definition_cases(name);
    REQUIRE_FALSE(cases.empty());
    for (const DefinitionCase& c : cases) {
      INFO(c.text());
      const DefinitionCheck check = check_definition(Probe(name, c.options, c.setup), kSamples);
      CHECK(check.output_error <= tolerance.output);
      for (const auto& [input, error] : check.gradient_errors) {
        INFO("gradient of " << input);
        CHECK(error <= tolerance.gradient);
      }
    }
  });
}

TEST_CASE("attention: padding changes nothing where it is honoured", "[unit]") {
  for_each_variant([](const std::string& name, const Traits& traits) {
    if (!traits.padding) return;
    for (const json& options : usual_options(name)) {
      const Probe cropped(name, options, ProbeSetup::self(37, 37));
      const Probe padded(name, options, ProbeSetup::self(37, 48));
      const auto expected = cropped.run(cropped.inputs(), cropped.upstream());
      const auto actual = padded.run(padded.inputs(), padded.upstream());
      INFO(options.dump());
      CHECK(output_error(padded, actual, cropped, expected) <=
            kSameOperations * traits.amplification);
      CHECK(gradient_error(padded, actual.gradients, cropped, expected.gradients) <=
            kSameOperations * traits.amplification);
    }
  });
}

TEST_CASE("attention: what padded rows hold reaches nothing", "[unit]") {
  for_each_variant([](const std::string& name, const Traits& traits) {
    for (const json& options : option_sets(name)) {
      INFO(options.dump());
      const Probe probe(name, options, ProbeSetup::self(13, 16));
      const auto one = probe.run(probe.inputs(1, 1), probe.upstream());
      const auto other = probe.run(probe.inputs(1, 2), probe.upstream());
      // Laid out over the tensor as published, padding is sorted into buckets by what it holds.
      if (traits.discrete && options.value("structure", "length") == "tensor") continue;
      CHECK(output_error(probe, one, probe, other) <= kSameOperations * traits.amplification);
      CHECK(gradient_error(probe, one.gradients, probe, other.gradients) <=
            kSameOperations * traits.amplification);
      // Rows of padding are exactly 0 in the output and in the gradients of all inputs by tokens.
      const auto padding_is_zero = [&](const Tensor& tensor) {
        const std::vector<float> values = tensor.to_floats();
        const auto columns = static_cast<std::size_t>(tensor.dim(-1));
        for (std::size_t i = 0; i < values.size(); ++i) {
          if (i / columns % 16 >= 13 && values[i] != 0) return false;
        }
        return true;
      };
      CHECK(padding_is_zero(one.out));
      for (const auto& [input, tensor] : probe.inputs()) {
        INFO("gradient of " << input);
        CHECK(padding_is_zero(one.gradients.at(input)));
      }
    }
  });
}

TEST_CASE("attention: permuted tokens give the permuted output where the metadata say so",
          "[unit]") {
  for_each_variant([](const std::string& name, const Traits& traits) {
    if (!traits.permutation_equivariant) return;
    const Probe probe(name, option_sets(name).front(), ProbeSetup::self(13, 13));
    const auto permuted = [](const Tensor& tensor) {  // row i <- row 5 i mod 13
      Tensor result = tensor.clone();
      const std::int64_t columns = tensor.dim(-1);
      const std::int64_t outer = tensor.numel() / columns / 13;
      for (std::int64_t row = 0; row < outer * 13; ++row) {
        const std::int64_t from = row / 13 * 13 + row % 13 * 5 % 13;
        std::copy_n(tensor.f32() + from * columns, columns, result.f32() + row * columns);
      }
      return result;
    };
    const Tensors inputs = probe.inputs();
    Tensors shuffled;
    for (const auto& [input, tensor] : inputs) shuffled[input] = permuted(tensor);
    auto expected = probe.run(inputs, Tensor());
    expected.out = permuted(expected.out);
    CHECK(output_error(probe, probe.run(shuffled, Tensor()), probe, expected) <=
          kSameOperations * traits.amplification);
  });
}

TEST_CASE("attention: large inputs stay finite, forwards and backwards", "[unit]") {
  for_each_variant([](const std::string& name, const Traits&) {
    for (const json& options : usual_options(name)) {
      for (const DType type : {DType::f32, DType::bf16}) {
        if (type == DType::bf16 && !engine::machine().avx512) continue;
        INFO(options.dump() << " " << engine::dtype_name(type));
        ProbeSetup setup = ProbeSetup::self(37, 48);
        setup.type = type;
        const Probe probe(name, options, setup);
        CHECK(finite(probe.run(probe.inputs(30), probe.upstream())));
      }
    }
  });
}

TEST_CASE("attention: bf16 agrees with f32 on the same values", "[unit]") {
  if (!engine::machine().avx512) {
    WARN("skipped: oneDNN has no bf16 on this machine");
    return;
  }
  for_each_variant([](const std::string& name, const Traits& traits) {
    for (const json& options : usual_options(name)) {
      INFO(options.dump());
      ProbeSetup setup = ProbeSetup::self(37, 48);
      setup.rounded = true;
      const Probe exact(name, options, setup);
      setup.type = DType::bf16;
      const Probe probe(name, options, setup);
      const auto expected = exact.run(exact.inputs(), exact.upstream());
      const auto actual = probe.run(probe.inputs(), probe.upstream());
      CHECK(finite(actual));
      // Another bucket or another support is another, equally good result.
      if (traits.discrete) continue;
      CHECK(output_error(probe, actual, exact, expected) <= kBf16Output);
      CHECK(gradient_error(probe, actual.gradients, exact, expected.gradients) <= kBf16Gradient);
    }
  });
}

TEST_CASE("attention: two instances at once give the bits that each gives alone", "[unit]") {
  for_each_variant([](const std::string& name, const Traits&) {
    const json options = option_sets(name).front();
    const Probe one(name, options, ProbeSetup::self(37, 48));
    ProbeSetup setup = ProbeSetup::self(29, 32);
    setup.seed = 2;
    const Probe two(name, options, setup);
    const auto run = [](const Probe& probe) { return probe.run(probe.inputs(), probe.upstream()); };
    const auto one_alone = run(one);
    const auto two_alone = run(two);
    Probe::Result one_beside;
    Probe::Result two_beside;
    std::thread first([&] { one_beside = run(one); });
    std::thread second([&] { two_beside = run(two); });
    first.join();
    second.join();
    CHECK(same_bits(one_beside, one_alone));
    CHECK(same_bits(two_beside, two_alone));
  });
}

TEST_CASE("attention: causal outputs do not see what comes later", "[unit]") {
  for_each_variant([](const std::string& name, const Traits& traits) {
    if (!traits.causal) return;
    json options = option_sets(name).front();
    options["causal"] = true;
    const Probe probe(name, options, ProbeSetup::self(29, 32));
    const Tensors inputs = probe.inputs();
    const auto before = probe.run(inputs, Tensor());
    constexpr std::int64_t kChanged = 17;  // the first token that changes
    Tensors changed;
    for (const auto& [input, tensor] : inputs) {
      changed[input] = tensor.clone();
      const std::int64_t columns = tensor.dim(-1);
      for (std::int64_t i = 0; i < tensor.numel(); ++i) {
        if (i / columns % 32 >= kChanged) changed[input].f32()[i] += 1.5F;
      }
    }
    const auto after = probe.run(changed, Tensor());
    double earlier = 0;
    double later = 0;
    const std::int64_t columns = before.out.dim(-1);
    for (std::int64_t i = 0; i < before.out.numel(); ++i) {
      const double change = std::abs(before.out.f32()[i] - after.out.f32()[i]);
      double& largest = i / columns % 32 < kChanged ? earlier : later;
      largest = std::max(largest, change);
    }
    CHECK(earlier <= kSameOperations);
    CHECK(later > 1e-2);
  });
}

// Implementations named "ref..." of a training step's primitives at length n.
std::vector<std::string> reference_kernels(const std::string& name, std::int64_t n, DType type) {
  engine::primitives::clear_thread_cache();
  engine::primitives::forget_compiled();
  ProbeSetup setup = ProbeSetup::self(n, n);
  setup.head_dim = 32;
  setup.max_length = n;
  setup.type = type;
  const Probe probe(name, json::object(), setup);
  static_cast<void>(probe.run(probe.inputs(), probe.upstream()));
  return engine::primitives::reference_kernels();
}

void check_kernels(std::int64_t n) {
  for_each_variant([n](const std::string& name, const Traits&) {
    CHECK(reference_kernels(name, n, DType::f32) == std::vector<std::string>());
    if (!engine::machine().native_bf16) return;
    CHECK(reference_kernels(name, n, DType::bf16) == std::vector<std::string>());
  });
}

TEST_CASE("attention: no primitive of a step at n = 512 is a reference kernel", "[unit]") {
  check_kernels(512);
}

TEST_CASE("attention: no primitive of a step at n = 2048 is a reference kernel", "[unit][slow]") {
  check_kernels(2048);
}

}  // namespace
}  // namespace lra::attention

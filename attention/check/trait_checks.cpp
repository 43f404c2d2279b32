#include "attention/check/trait_checks.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "attention/check/comparison.h"
#include "attention/check/trial.h"

namespace lra::attention {
namespace {

using nlohmann::json;

constexpr double kVisible = 1e-2;  // a change of this size is not rounding

bool refuses(const std::string& name, const json& options) {
  try {
    static_cast<void>(create(name, options));
    return false;
  } catch (const Error&) {
    return true;
  }
}

// Error of the output of permuted tokens against the permuted output.
double permutation_error(const std::string& name, const json& options, std::int64_t n) {
  const Probe probe(name, options, ProbeSetup::self(n, n));
  const auto permuted = [n](const Tensor& tensor) {  // row i <- row 5 i mod n
    Tensor result = tensor.clone();
    const std::int64_t columns = tensor.dim(-1);
    const std::int64_t outer = tensor.numel() / columns / n;
    for (std::int64_t row = 0; row < outer * n; ++row) {
      const std::int64_t from = row / n * n + row % n * 5 % n;
      std::copy_n(tensor.f32() + from * columns, columns, result.f32() + row * columns);
    }
    return result;
  };
  const Tensors inputs = probe.inputs();
  Tensors shuffled;
  for (const auto& [input, tensor] : inputs) shuffled[input] = permuted(tensor);
  auto expected = probe.run(inputs, Tensor());
  expected.out = permuted(expected.out);
  return output_error(probe, probe.run(shuffled, Tensor()), probe, expected);
}

// Largest changes of the output before token `changed` and from it on, when the tokens from there
// on change.
std::pair<double, double> influence(const Probe& probe, std::int64_t changed) {
  const std::int64_t rows = probe.setup().rows;
  const Tensors inputs = probe.inputs();
  const auto before = probe.run(inputs, Tensor());
  Tensors other;
  for (const auto& [input, tensor] : inputs) {
    other[input] = tensor.clone();
    const std::int64_t columns = tensor.dim(-1);
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {
      if (i / columns % rows >= changed) other[input].f32()[i] += 1.5F;
    }
  }
  const auto after = probe.run(other, Tensor());
  double earlier = 0;
  double later = 0;
  const std::int64_t columns = before.out.dim(-1);
  for (std::int64_t i = 0; i < before.out.numel(); ++i) {
    const double change = std::abs(before.out.f32()[i] - after.out.f32()[i]);
    double& largest = i / columns % rows < changed ? earlier : later;
    largest = worse(largest, change);
  }
  return {earlier, later};
}

}  // namespace

void check_metadata(const std::string& name, Findings& f) {
  const Traits& traits = traits_of(name);
  ++f.settings;
  if (traits.label.empty()) f.fault("no label");
  if (traits.cite.empty()) f.fault("no cite");
  if (!(traits.amplification >= 1)) f.fault("amplification is {}, below 1", traits.amplification);
  for (const std::string& alias : traits.aliases) {
    if (registry().canonical(alias) != name) f.fault("alias '{}' is another variant's", alias);
  }
}

void check_options(const std::string& name, Findings& f) {
  ++f.settings;
  try {
    static_cast<void>(create(name, {{"no_such_option", 1}}));
    f.fault("an unknown option is accepted");
  } catch (const Error& error) {
    if (std::string_view(error.what()).find("no_such_option") == std::string_view::npos) {
      f.fault("the refusal of an unknown option does not name it: {}", error.what());
    }
  }
  const bool option = resolved_options(name, json::object()).contains("causal");
  const bool claimed = traits_of(name).causal;
  if (option && !claimed) f.fault("has an option `causal`, but its traits say .causal = false");
  if (claimed && !option) f.fault("its traits say .causal = true, but it has no option `causal`");
  if (claimed && refuses(name, {{"causal", true}})) f.fault("refuses causal = true by default");
}

void check_permutation(const std::string& name, Findings& f) {
  ++f.settings;
  const json options = option_sets(name).front();
  const double error = permutation_error(name, options, 13);
  if (traits_of(name).permutation_equivariant) {
    f.at_most(error, tolerance_of(name),
              ".permutation_equivariant = true, but permuted tokens do not give the permuted "
              "output");
    return;
  }
  // A pattern of few blocks equals softmax: more tokens or any option may reveal the difference.
  const auto moves = [&](const json& set) {
    return permutation_error(name, set, 61) > tolerance_of(name);
  };
  const auto sets = option_sets(name);
  if (std::none_of(sets.begin(), sets.end(), moves)) {
    f.fault(
        "permuted tokens give the permuted output (error {:.1e}), but its traits say "
        ".permutation_equivariant = false",
        error);
  }
}

void check_stochastic(const std::string& name, Findings& f) {
  ++f.settings;
  const json options = option_sets(name).front();
  ProbeSetup setup = ProbeSetup::self(29, 32);
  const Probe probe(name, options, setup);
  const auto once = probe.run(probe.inputs(), probe.upstream());
  if (!same_bits(once, probe.run(probe.inputs(), probe.upstream()))) {
    f.fault("the same call with the same keys gives other bits");
  }
  setup.call = 1;
  const Probe again(name, options, setup);
  const bool same = same_bits(once, again.run(again.inputs(), again.upstream()));
  if (same && traits_of(name).stochastic) {
    f.fault("draws nothing at a call, but its traits say .stochastic = true");
  } else if (!same && !traits_of(name).stochastic) {
    f.fault("draws at each call, but its traits say .stochastic = false");
  }
}

void check_causal(const std::string& name, Findings& f) {
  if (!traits_of(name).causal) {
    f.skipped = "its traits say .causal = false";
    return;
  }
  constexpr std::int64_t kChanged = 17;  // the first token that changes
  for (json options : usual_options(name)) {
    ++f.settings;
    options["causal"] = true;
    const auto [earlier, later] =
        influence(Probe(name, options, ProbeSetup::self(29, 32)), kChanged);
    f.at_most(earlier, kSameOperations,
              "with causal = true, outputs see later tokens, " + options.dump());
    if (!(later > kVisible)) {
      f.fault("with causal = true, outputs do not see their own tokens, {}", options.dump());
    }
  }
}

}  // namespace lra::attention

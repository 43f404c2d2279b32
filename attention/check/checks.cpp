#include "attention/check/checks.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "attention/check/trial.h"
#include "engine/compute/primitives/primitives.h"
#include "engine/runtime.h"

namespace lra::attention {
namespace {

using nlohmann::json;

constexpr std::int64_t kSamples = 6;  // entries of each gradient that are differentiated
constexpr double kSameOperations =
    1e-5;  // tolerance for other tile sizes or orders of the same sums in f32
constexpr double kBf16Output = 3e-2;  // the guide of the golden files
constexpr double kBf16Gradient = 6e-2;
constexpr double kVisible = 1e-2;  // a change of this size is not rounding
constexpr std::int64_t kKernelLength = 512;

const Traits& traits_of(const std::string& name) { return registry().at(name).traits; }

double tolerance_of(const std::string& name) {
  return kSameOperations * traits_of(name).amplification;
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
    worst = worse(worst, relative_error(probe.real_rows(name, actual.at(name)),
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

bool refuses(const std::string& name, const json& options) {
  try {
    static_cast<void>(create(name, options));
    return false;
  } catch (const Error&) {
    return true;
  }
}

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

void check_against_definition(const std::string& name, Findings& f) {
  const Tolerance tolerance = definition_tolerance(traits_of(name));
  for (const DefinitionCase& c : definition_cases(name)) {
    ++f.settings;
    const DefinitionCheck found = check_definition(Probe(name, c.options, c.setup), kSamples);
    f.at_most(found.output_error, tolerance.output, "output, " + c.text());
    for (const auto& [input, error] : found.gradient_errors) {
      f.at_most(error, tolerance.gradient, "gradient of " + input + ", " + c.text());
    }
  }
}

// Errors of a bucket with padding against the sequence alone.
std::pair<double, double> padding_errors(const std::string& name, const json& options) {
  const Probe cropped(name, options, ProbeSetup::self(37, 37));
  const Probe padded(name, options, ProbeSetup::self(37, 48));
  const auto expected = cropped.run(cropped.inputs(), cropped.upstream());
  const auto actual = padded.run(padded.inputs(), padded.upstream());
  return {output_error(padded, actual, cropped, expected),
          gradient_error(padded, actual.gradients, cropped, expected.gradients)};
}

void check_padding(const std::string& name, Findings& f) {
  if (!traits_of(name).padding) {
    f.skipped = "its traits say .padding = false";
    return;
  }
  for (const json& options : usual_options(name)) {
    ++f.settings;
    const auto [output, gradient] = padding_errors(name, options);
    f.at_most(output, tolerance_of(name), "output, 37 of 48 rows against 37, " + options.dump());
    f.at_most(gradient, tolerance_of(name),
              "gradients, 37 of 48 rows against 37, " + options.dump());
  }
}

void check_padded_rows(const std::string& name, Findings& f) {
  const Traits& traits = traits_of(name);
  for (const json& options : option_sets(name)) {
    const Probe probe(name, options, ProbeSetup::self(13, 16));
    const auto one = probe.run(probe.inputs(1, 1), probe.upstream());
    const auto other = probe.run(probe.inputs(1, 2), probe.upstream());
    // Laid out over the tensor as published, padding is sorted into buckets by its content.
    if (traits.discrete && options.value("structure", "length") == "tensor") continue;
    ++f.settings;
    f.at_most(output_error(probe, one, probe, other), tolerance_of(name),
              "output depends on the content of padding, " + options.dump());
    f.at_most(gradient_error(probe, one.gradients, probe, other.gradients), tolerance_of(name),
              "gradients depend on the content of padding, " + options.dump());
    // Rows of padding are exactly 0 in the output and in the gradients of all inputs by tokens.
    const auto padding_is_zero = [&](const Tensor& tensor) {
      const std::vector<float> values = tensor.to_floats();
      const auto columns = static_cast<std::size_t>(tensor.dim(-1));
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (i / columns % 16 >= 13 && values[i] != 0) return false;
      }
      return true;
    };
    if (!padding_is_zero(one.out))
      f.fault("padded rows of the output are not 0, {}", options.dump());
    for (const auto& [input, tensor] : probe.inputs()) {
      if (!padding_is_zero(one.gradients.at(input))) {
        f.fault("padded rows of the gradient of {} are not 0, {}", input, options.dump());
      }
    }
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

void check_large_inputs(const std::string& name, Findings& f) {
  for (const json& options : usual_options(name)) {
    for (const DType type : {DType::f32, DType::bf16}) {
      if (type == DType::bf16 && !engine::machine().avx512) continue;
      ++f.settings;
      ProbeSetup setup = ProbeSetup::self(37, 48);
      setup.type = type;
      const Probe probe(name, options, setup);
      if (!finite(probe.run(probe.inputs(30), probe.upstream()))) {
        f.fault("inputs times 30 overflow in {}, {}", engine::dtype_name(type), options.dump());
      }
    }
  }
}

void check_bf16(const std::string& name, Findings& f) {
  if (!engine::machine().avx512) {
    f.skipped = "oneDNN has no bf16 on this machine";
    return;
  }
  for (const json& options : usual_options(name)) {
    ++f.settings;
    ProbeSetup setup = ProbeSetup::self(37, 48);
    setup.rounded = true;
    const Probe exact(name, options, setup);
    setup.type = DType::bf16;
    const Probe probe(name, options, setup);
    const auto expected = exact.run(exact.inputs(), exact.upstream());
    const auto actual = probe.run(probe.inputs(), probe.upstream());
    if (!finite(actual)) f.fault("bf16 overflows, {}", options.dump());
    // Another bucket or support gives a different, equally valid result.
    if (traits_of(name).discrete) continue;
    f.at_most(output_error(probe, actual, exact, expected), kBf16Output,
              "output in bf16 against f32, " + options.dump());
    f.at_most(gradient_error(probe, actual.gradients, exact, expected.gradients), kBf16Gradient,
              "gradients in bf16 against f32, " + options.dump());
  }
}

void check_threads(const std::string& name, Findings& f) {
  ++f.settings;
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
  std::exception_ptr thrown;
  std::thread first([&] {
    try {
      one_beside = run(one);
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  try {
    two_beside = run(two);
  } catch (...) {
    first.join();
    throw;
  }
  first.join();
  if (thrown) std::rethrow_exception(thrown);
  if (!same_bits(one_beside, one_alone) || !same_bits(two_beside, two_alone)) {
    f.fault("two instances at once do not give the bits that each gives alone");
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

void check_kernels(const std::string& name, Findings& f) {
  for (const DType type : {DType::f32, DType::bf16}) {
    if (type == DType::bf16 && !engine::machine().native_bf16) continue;
    ++f.settings;
    for (const std::string& kernel : reference_kernels(name, kKernelLength, type)) {
      f.fault("a step with {} tokens in {} runs the reference kernel {}", kKernelLength,
              engine::dtype_name(type), kernel);
    }
  }
}

}  // namespace

void Findings::at_most(double error, double tolerance, const std::string& what) {
  if (error <= tolerance) return;
  fault("{}: error {}, at most {:.1e} allowed", what, error_text(error), tolerance);
}

const std::vector<VariantCheck>& variant_checks() {
  static const std::vector<VariantCheck> checks{
      {"metadata", "metadata are complete", check_metadata},
      {"options", "unknown options are refused, and `causal` is one where the traits say so",
       check_options},
      {"permutation", "permuted tokens give the permuted output where the traits say so",
       check_permutation},
      {"stochastic", "draws at each call where the traits say so", check_stochastic},
      {"causal", "causal outputs do not see what comes later", check_causal},
      {"padding", "padding changes nothing where it is honoured", check_padding},
      {"padded rows", "the content of padded rows has no effect", check_padded_rows},
      {"large inputs", "large inputs stay finite, forwards and backwards", check_large_inputs},
      {"bf16", "bf16 agrees with f32 on the same values", check_bf16},
      {"threads", "two instances at once give the bits that each gives alone", check_threads},
      {"kernels", "no primitive of a step at n = 512 is a reference kernel", check_kernels},
      {"definition", "output and all gradients agree with the definition",
       check_against_definition},
  };
  return checks;
}

Findings run_check(const std::string& check, const std::string& variant) {
  const std::string name = registry().canonical(variant);
  std::vector<std::string> known;
  for (const VariantCheck& c : variant_checks()) {
    if (c.name != check) {
      known.emplace_back(c.name);
      continue;
    }
    Findings findings;
    try {
      c.run(name, findings);
    } catch (const std::exception& error) {
      findings.fault("{}", error.what());
    } catch (...) {
      findings.fault("an exception of unknown type");
    }
    return findings;
  }
  throw Error(ErrorKind::usage, unknown_name_message("check", check, known));
}

std::vector<std::string> reference_kernels(const std::string& variant, std::int64_t n, DType type) {
  engine::primitives::clear_thread_cache();
  engine::primitives::forget_compiled();
  ProbeSetup setup = ProbeSetup::self(n, n);
  setup.head_dim = 32;
  setup.max_length = n;
  setup.type = type;
  const Probe probe(variant, json::object(), setup);
  static_cast<void>(probe.run(probe.inputs(), probe.upstream()));
  return engine::primitives::reference_kernels();
}

}  // namespace lra::attention

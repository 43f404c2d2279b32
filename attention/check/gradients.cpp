// Forward and backward of a variant against central differences of its definition.

#include <algorithm>
#include <cmath>
#include <limits>

#include "attention/check/trial.h"

namespace lra::attention {
namespace {

// Step for a definition in double with values around 1: truncation and rounding errors are both
// near 1e-10.
constexpr double kStep = 1e-5;
constexpr std::int64_t kUnusedSamples = 4;

// The arrays of the definition's inputs that a named input fills.
std::vector<Plain*> targets(PlainInputs& in, const std::string& name) {
  if (name == "q") return {&in.q};
  if (name == "k") return {&in.k};
  if (name == "v") return {&in.v};
  if (name == "qk") return {&in.q, &in.k};
  if (name == "x") return {&in.x};
  return {&in.parameters.at(name)};
}

class Differences {
 public:
  Differences(const Probe& probe, PlainInputs in, Plain upstream)
      : probe_(probe), in_(std::move(in)), upstream_(std::move(upstream)) {
    in_.held = &held_;
    static_cast<void>(probe_.define(in_));
  }
  Differences(const Differences&) = delete;
  Differences& operator=(const Differences&) = delete;

  // d sum(out * upstream) / d t of the input + t * direction at t = 0.
  [[nodiscard]] double along(const std::string& name, const std::vector<double>& direction) {
    const double up = loss_at(name, direction, kStep);
    const double down = loss_at(name, direction, -kStep);
    return (up - down) / (2 * kStep);
  }

 private:
  [[nodiscard]] double loss_at(const std::string& name, const std::vector<double>& direction,
                               double t) {
    std::vector<std::vector<double>> saved;
    for (Plain* target : targets(in_, name)) {
      saved.push_back(target->data);
      for (std::size_t i = 0; i < direction.size(); ++i) target->data[i] += t * direction[i];
    }
    held_.next = 0;
    const Plain out = probe_.define(in_);
    std::size_t at = 0;
    for (Plain* target : targets(in_, name)) target->data = std::move(saved[at++]);
    double sum = 0;
    for (std::size_t i = 0; i < out.data.size(); ++i) sum += out.data[i] * upstream_.data[i];
    return sum;
  }

  const Probe& probe_;
  PlainInputs in_;
  Plain upstream_;
  HeldValues held_;
};

std::vector<std::size_t> sample(std::size_t size, std::int64_t samples, RandomStream& random) {
  std::vector<std::size_t> chosen;
  if (samples == 0 || static_cast<std::size_t>(samples) >= size) {
    for (std::size_t i = 0; i < size; ++i) chosen.push_back(i);
  } else {
    for (std::int64_t i = 0; i < samples; ++i) {
      chosen.push_back(random.below(static_cast<std::uint32_t>(size)));
    }
  }
  return chosen;
}

}  // namespace

Tolerance definition_tolerance(const Traits& traits) {
  return {2e-5 * traits.amplification, 5e-5 * traits.amplification};
}

double DefinitionCheck::worst_gradient() const {
  double worst = 0;
  for (const auto& [name, error] : gradient_errors) worst = worse(worst, error);
  return worst;
}

DefinitionCheck check_definition(const Probe& probe, std::int64_t samples) {
  const Tensors inputs = probe.inputs();
  const Tensor upstream = probe.upstream();
  const Probe::Result result = probe.run(inputs, upstream);
  const PlainInputs in = probe.plain(inputs, result.draws);
  DefinitionCheck check;
  check.output_error = relative_error(probe.real_rows("q", result.out), probe.define(in));

  Differences differences(probe, in, probe.real_rows("q", upstream));
  RandomStream random(RandomKey(probe.setup().seed).of("samples"));
  std::map<std::string, double> absolute;
  double scale = 1e-3;
  for (const auto& [name, tensor] : result.gradients) {
    const Plain gradient = probe.real_rows(name, tensor);
    const std::size_t size = gradient.data.size();
    for (const double g : gradient.data) {
      if (std::isfinite(g)) scale = std::max(scale, std::abs(g));
    }
    double& worst = absolute[name];
    const auto note = [&](double actual, double expected, double weight) {
      worst = worse(worst, std::abs(actual - expected) / weight);
    };
    std::vector<double> direction(size, 0.0);
    // If a few entries agree, an input with gradient 0 everywhere has no influence.
    const bool unused =
        std::all_of(gradient.data.begin(), gradient.data.end(), [](double g) { return g == 0; });
    const auto chosen = sample(size, unused ? kUnusedSamples : samples, random);
    for (const std::size_t i : chosen) {
      direction[i] = 1;
      const double expected = differences.along(name, direction);
      if (std::isfinite(expected)) scale = std::max(scale, std::abs(expected));
      note(gradient.data[i], expected, 1);
      direction[i] = 0;
    }
    if (chosen.size() == size) continue;
    double along = 0;
    for (std::size_t i = 0; i < size; ++i) {
      direction[i] = random.uniform() < 0.5 ? -1 : 1;
      along += direction[i] * gradient.data[i];
    }
    // Errors of single entries add up like a random walk.
    note(along, differences.along(name, direction), std::sqrt(static_cast<double>(size)));
  }
  for (const auto& [name, error] : absolute) check.gradient_errors[name] = error / scale;
  return check;
}

}  // namespace lra::attention

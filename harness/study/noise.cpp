// Single-location regression with oracle weights. A sample X [n, d] is standard normal; one row e,
// drawn uniformly, has spike * k added; the target is y = <X_e, v>, with k and v orthonormal and
// spike = f sqrt(2 ln n). A predictor sees X through alpha * sum_l w_l <X_l, v>, where w_l depends
// on the scores <X_l, k>. Since k and v are orthonormal, <X_l, k> and <X_l, v> are independent
// standard normals, and only these two are drawn: d does not matter.
//   component-wise g: R2 = E[g(z + spike)]^2 / (E[g(z + spike)^2] + (n - 1) E[g(z)^2]),
//                     alpha = E[g(z + spike)] / the same denominator
//   softmax of spike * score is the posterior over e: alpha = 1, R2 = E[sum_l p_l^2]
// The measured R2 = 1 - MSE / Var(y), Var(y) = 1, must not exceed the reference by more than noise.
// Plain loops in double precision: this is the oracle.

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "engine/base/random.h"
#include "harness/study/parallel.h"
#include "harness/study/separation.h"

namespace lra::harness::study {
namespace {

using Function = double (*)(double score, double spike);

const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> all{
      {"linear", [](double x, double) { return x; }},
      {"relu", [](double x, double) { return std::max(0.0, x); }},
      {"poly3", [](double x, double) { return x * x * x; }},
      {"elu1", [](double x, double) { return x > 0 ? 1 + x : std::exp(x); }},
      // One exponential, not divided by its sum, at half the posterior's inverse temperature or
      // less: best_rate() finds the best.
      {"exp", nullptr},
      {"softmax", nullptr},
  };
  return all;
}

struct Moments {
  double signal = 0;         // E[g(z + spike)]
  double signal_square = 0;  // E[g(z + spike)^2]
  double noise_square = 0;   // E[g(z)^2]
  [[nodiscard]] double denominator(std::int64_t n) const {
    return signal_square + static_cast<double>(n - 1) * noise_square;
  }
  [[nodiscard]] double r2(std::int64_t n) const { return signal * signal / denominator(n); }
};

// By the trapezoid rule on [-12, 12], which converges exponentially fast for smooth g and to about
// 1e-6 for the kinks of relu and elu.
Moments moments(Function g, double spike) {
  Moments sum;
  constexpr int kSteps = 24000;
  constexpr double kStep = 24.0 / kSteps;
  for (int i = 0; i <= kSteps; ++i) {
    const double z = -12 + i * kStep;
    const double weight = kStep * std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi);
    const double shifted = g(z + spike, spike);
    const double plain = g(z, spike);
    sum.signal += weight * shifted;
    sum.signal_square += weight * shifted * shifted;
    sum.noise_square += weight * plain * plain;
  }
  return sum;
}

// Moments of exp(rate x): E[exp(rate (z + spike))] = exp(rate spike + rate^2 / 2).
Moments exponential_moments(double rate, double spike) {
  return {std::exp(rate * spike + rate * rate / 2), std::exp(2 * rate * spike + 2 * rate * rate),
          std::exp(2 * rate * rate)};
}

double best_rate(std::int64_t n, double spike) {
  double best = 0;
  for (double rate = 0.001; rate <= spike; rate += 0.001) {
    if (exponential_moments(rate, spike).r2(n) > exponential_moments(best, spike).r2(n)) {
      best = rate;
    }
  }
  return best;
}

struct Sample {
  double error = 0;   // squared
  double purity = 0;  // sum p^2 of the posterior
};

struct Mean {
  double mean = 0, standard_error = 0;
};

Mean mean_of(const std::vector<Sample>& samples, double Sample::*field) {
  Mean m;
  const auto count = static_cast<double>(samples.size());
  for (const Sample& s : samples) m.mean += s.*field / count;
  double square = 0;
  for (const Sample& s : samples) square += (s.*field - m.mean) * (s.*field - m.mean);
  m.standard_error = std::sqrt(square / std::max(1.0, count - 1) / count);
  return m;
}

// Scores <X_l, k> and contents <X_l, v> of one sample; the spike is in row 0, for every predictor
// here treats the rows alike.
struct Rows {
  std::vector<double> score, content;
};

Rows draw_rows(std::int64_t n, double spike, RandomKey key) {
  RandomStream stream(key);
  Rows r;
  for (std::int64_t l = 0; l < n; ++l) {
    // Both values of the Box-Muller pair.
    const double radius = std::sqrt(-2.0 * std::log1p(-stream.uniform()));
    const double angle = 2.0 * std::numbers::pi * stream.uniform();
    r.score.push_back(radius * std::cos(angle) + (l == 0 ? spike : 0));
    r.content.push_back(radius * std::sin(angle));
  }
  return r;
}

Sample softmax_sample(const Rows& r, double spike) {
  const double top = *std::max_element(r.score.begin(), r.score.end());
  double sum = 0;
  double square = 0;
  double prediction = 0;
  for (std::size_t l = 0; l < r.score.size(); ++l) {
    const double w = std::exp(spike * (r.score[l] - top));
    sum += w;
    square += w * w;
    prediction += w * r.content[l];
  }
  const double error = prediction / sum - r.content[0];
  return {error * error, square / (sum * sum)};
}

}  // namespace

std::vector<std::string> noise_kernels() {
  std::vector<std::string> names;
  for (const auto& [name, function] : functions()) names.push_back(name);
  return names;
}

Point noise_point(const std::string& name, const Setting& x, std::int64_t trials,
                  std::uint64_t seed) {
  const double spike = x.f * std::sqrt(2 * std::log(static_cast<double>(x.n)));
  const RandomKey key = RandomKey(seed).of("separation noise").of(static_cast<std::uint64_t>(x.n));
  const auto rows = [&](std::string_view use, std::int64_t trial) {
    return draw_rows(x.n, spike, key.of(use).of(static_cast<std::uint64_t>(trial)));
  };
  Point p;
  p.kernel = name;
  p.setting = x;
  p.trials = trials;
  p.source = kNoiseSource;
  std::vector<Sample> samples;
  if (name == "softmax") {
    samples = parallel_map<Sample>(
        trials, [&](std::int64_t t) { return softmax_sample(rows("samples", t), spike); });
    // The reference uses separate draws.
    const auto others = parallel_map<Sample>(
        trials, [&](std::int64_t t) { return softmax_sample(rows("reference", t), spike); });
    p.reference = mean_of(others, &Sample::purity).mean;
  } else {
    const Function g = functions().at(name);
    const double rate = g == nullptr ? best_rate(x.n, spike) : 0;
    const Moments m = g == nullptr ? exponential_moments(rate, spike) : moments(g, spike);
    const double alpha = m.signal / m.denominator(x.n);
    p.reference = m.r2(x.n);
    samples = parallel_map<Sample>(trials, [&](std::int64_t t) {
      const Rows r = rows("samples", t);
      double prediction = 0;
      for (std::size_t l = 0; l < r.score.size(); ++l) {
        const double w = g == nullptr ? std::exp(rate * r.score[l]) : g(r.score[l], spike);
        prediction += alpha * w * r.content[l];
      }
      const double error = prediction - r.content[0];
      return Sample{error * error, 0};
    });
  }
  const Mean error = mean_of(samples, &Sample::error);
  p.value = 1 - error.mean;
  p.low = *p.value - 1.959964 * error.standard_error;
  p.high = *p.value + 1.959964 * error.standard_error;
  return p;
}

}  // namespace lra::harness::study

// Fixed-weight separation. A sample A has n = t (d - 2) rows; with s = sqrt(ln n), row i holds b s
// in column 1 + i mod (d - 2) and c s in the last; one row j* also holds a s in column 0, a = a0 in
// D0 and a1 in D1. Scores are A X A^T, X = I + eps G; C = W A with rows W_i = g(S_i) / sum g(S_i);
// and
//   F(A) = sum_i sum_h relu(<C_i, Y_h> - tau),   Y [m, d] of random signs, tau = (c + 0.1) s.
// A trial succeeds if F = 0 on D0 and F > 0 on D1. At row j* softmax puts a weight of order one on
// the token itself if a^2 + b^2 > 1, linear attention one of order 1/n.
//
// Plain loops in double precision: this is the oracle, not a hot path. Equal rows are computed
// once: there are d - 2 classes and row j*, whatever n is. Only cosFormer's weights depend on
// positions and are summed over all pairs.

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numbers>
#include <numeric>

#include "engine/base/random.h"
#include "harness/study/parallel.h"
#include "harness/study/separation.h"
#include "results/analysis/statistics.h"

namespace lra::harness::study {
namespace {

using Row = std::vector<double>;
using Matrix = std::vector<Row>;

double dot(const Row& x, const Row& y) {
  return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
}

Row mapped(const Row& x, const std::function<double(double)>& f) {
  Row y(x.size());
  std::transform(x.begin(), x.end(), y.begin(), f);
  return y;
}

// Weights of the groups of equal keys, before division by sum count * weight.
using Weights = Row (*)(const Row& scores, const Row& counts, double d);

Row exponential(const Row& scores, double scale) {
  const double top = *std::max_element(scores.begin(), scores.end());
  return mapped(scores, [=](double s) { return std::exp(scale * (s - top)); });
}

// Euclidean projection on the simplex (Martins, Astudillo 2016, arXiv 1602.02068, algorithm 1);
// equal scores are inside or outside together.
Row sparsemax(const Row& scores, const Row& counts) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  double members = 0;
  double sum = 0;
  double threshold = 0;
  for (const std::size_t g : order) {
    if (counts[g] == 0) continue;
    const double k = members + counts[g];
    const double total = sum + counts[g] * scores[g];
    if (1 + k * scores[g] <= total) break;
    members = k;
    sum = total;
    threshold = (total - 1) / k;
  }
  return mapped(scores, [=](double s) { return std::max(0.0, s - threshold); });
}

struct Kernel {
  double (*feature)(double);  // of queries and keys, before the score; null: the identity
  Weights weights;
  bool cosine = false;  // re-weighted by cos(pi/2 (i - k) / n)
};

Row as_it_is(const Row& s, const Row&, double) { return s; }

const std::map<std::string, Kernel>& kernels() {
  static const std::map<std::string, Kernel> all{
      {"softmax", {nullptr, [](const Row& s, const Row&, double) { return exponential(s, 1); }}},
      {"softmax_scaled",
       {nullptr,
        [](const Row& s, const Row&, double d) { return exponential(s, 1 / std::sqrt(d)); }}},
      {"linear", {nullptr, as_it_is}},
      {"poly3",
       {nullptr, [](const Row& s, const Row&,
                    double) { return mapped(s, [](double x) { return x * x * x; }); }}},
      {"elu1", {[](double x) { return x > 0 ? 1 + x : std::exp(x); }, as_it_is}},
      {"cosformer", {[](double x) { return std::max(0.0, x); }, as_it_is, true}},
      {"sparsemax",
       {nullptr, [](const Row& s, const Row& counts, double) { return sparsemax(s, counts); }}},
  };
  return all;
}

// Random draws of a trial: the same for both data sets and for every kernel.
struct Draw {
  std::int64_t position;  // j*
  Matrix signs;           // Y [m, d]
  Matrix form;            // X [d, d]; empty: the identity
};

Draw draw_trial(const Setting& x, std::uint64_t seed, std::int64_t trial) {
  const RandomKey key = RandomKey(seed)
                            .of("separation theory")
                            .of(static_cast<std::uint64_t>(x.n))
                            .of(static_cast<std::uint64_t>(x.d))
                            .of(static_cast<std::uint64_t>(x.m))
                            .of(static_cast<std::uint64_t>(trial));
  RandomStream stream(key);
  const auto d = static_cast<std::size_t>(x.d);
  Draw draw;
  draw.position = stream.below(static_cast<std::uint32_t>(x.n));
  draw.signs.assign(static_cast<std::size_t>(x.m), Row(d));
  for (Row& row : draw.signs) {
    for (double& y : row) y = stream.below(2) == 0 ? -1 : 1;
  }
  if (x.eps == 0) return draw;
  RandomStream perturbation(key.of("form"));
  draw.form.assign(d, Row(d));
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < d; ++j) {
      draw.form[i][j] = (i == j ? 1 : 0) + x.eps * perturbation.normal();
    }
  }
  return draw;
}

// The distinct rows: class g without a signal for g < d - 2, then the row that carries it.
Matrix distinct_rows(const Setting& x, double signal, std::int64_t marked) {
  const double s = std::sqrt(std::log(static_cast<double>(x.n)));
  const auto d = static_cast<std::size_t>(x.d);
  Matrix rows(d - 1, Row(d, 0.0));
  for (std::size_t g = 0; g + 1 < d; ++g) {
    const std::size_t of_class = g < d - 2 ? g : static_cast<std::size_t>(marked) % (d - 2);
    rows[g][1 + of_class] = (1 - x.c) * s;
    rows[g][d - 1] = x.c * s;
  }
  rows.back()[0] = signal * s;
  return rows;
}

// Number of tokens with each distinct row.
Row row_counts(const Setting& x, std::int64_t marked) {
  Row counts(static_cast<std::size_t>(x.d) - 1, static_cast<double>(x.n / (x.d - 2)));
  counts[static_cast<std::size_t>(marked % (x.d - 2))] -= 1;
  counts.back() = 1;
  return counts;
}

Row transformed(const Row& row, const Matrix& form) {
  if (form.empty()) return row;
  Row q(row.size(), 0.0);
  for (std::size_t i = 0; i < row.size(); ++i) {
    for (std::size_t j = 0; j < row.size(); ++j) q[j] += row[i] * form[i][j];
  }
  return q;
}

// sum_h relu(<C_i, Y_h> - tau) of one row.
double fired(const Row& output, const Matrix& signs, double tau) {
  double sum = 0;
  for (const Row& y : signs) sum += std::max(0.0, dot(output, y) - tau);
  return sum;
}

// C_i from the groups' mass of weight.
Row weighted_mean(const Row& mass, const Matrix& values) {
  const double total = std::accumulate(mass.begin(), mass.end(), 0.0);
  Row output(values.front().size(), 0.0);
  for (std::size_t g = 0; g < mass.size(); ++g) {
    for (std::size_t c = 0; c < output.size(); ++c) output[c] += mass[g] / total * values[g][c];
  }
  return output;
}

// F(A) for A with `signal` at j*; with `cross`, row 0 of the queries has a1 instead.
double read_out(const Kernel& kernel, const Setting& x, double signal, const Draw& draw) {
  const Matrix keys = distinct_rows(x, signal, draw.position);
  const Row key_counts = row_counts(x, draw.position);
  const std::int64_t asking = x.cross ? 0 : draw.position;
  const Matrix queries = x.cross ? distinct_rows(x, x.a1, asking) : keys;
  const Row query_counts = row_counts(x, asking);
  const double tau = (x.c + 0.1) * std::sqrt(std::log(static_cast<double>(x.n)));

  Matrix weights;  // [distinct queries, distinct keys]
  for (const Row& row : queries) {
    const Row q = transformed(row, draw.form);
    Row scores;
    for (const Row& k : keys) {
      scores.push_back(kernel.feature == nullptr
                           ? dot(q, k)
                           : dot(mapped(q, kernel.feature), mapped(k, kernel.feature)));
    }
    weights.push_back(kernel.weights(scores, key_counts, static_cast<double>(x.d)));
  }

  double sum = 0;
  if (!kernel.cosine) {
    for (std::size_t u = 0; u < queries.size(); ++u) {
      if (query_counts[u] == 0) continue;
      Row mass = weights[u];
      for (std::size_t g = 0; g < mass.size(); ++g) mass[g] *= key_counts[g];
      sum += query_counts[u] * fired(weighted_mean(mass, keys), draw.signs, tau);
    }
    return sum;
  }
  const auto group = [&x](std::int64_t i, std::int64_t marked) {
    return static_cast<std::size_t>(i == marked ? x.d - 2 : i % (x.d - 2));
  };
  Row cosine;
  for (std::int64_t k = 0; k < x.n; ++k) {
    cosine.push_back(
        std::cos(std::numbers::pi / 2 * static_cast<double>(k) / static_cast<double>(x.n)));
  }
  for (std::int64_t i = 0; i < x.n; ++i) {
    Row mass(keys.size(), 0.0);
    for (std::int64_t k = 0; k < x.n; ++k) {
      mass[group(k, draw.position)] += cosine[static_cast<std::size_t>(std::abs(i - k))];
    }
    const Row& w = weights[group(i, asking)];
    for (std::size_t g = 0; g < mass.size(); ++g) mass[g] *= w[g];
    sum += fired(weighted_mean(mass, keys), draw.signs, tau);
  }
  return sum;
}

struct Outcome {
  bool false_positive = false, detection = false;
};

}  // namespace

std::vector<std::string> theory_kernels() {
  std::vector<std::string> names;
  for (const auto& [name, kernel] : kernels()) names.push_back(name);
  return names;
}

Point theory_point(const std::string& name, const Setting& x, std::int64_t trials,
                   std::uint64_t seed) {
  const Kernel& kernel = kernels().at(name);
  // Rounding leaves sums of about 1e-16 where exact arithmetic gives 0.
  const double zero = 1e-12 * static_cast<double>(x.n * x.m);
  const auto outcomes = parallel_map<Outcome>(trials, [&](std::int64_t trial) {
    const Draw draw = draw_trial(x, seed, trial);
    return Outcome{read_out(kernel, x, x.a0, draw) > zero, read_out(kernel, x, x.a1, draw) > zero};
  });
  Point p;
  p.kernel = name;
  p.setting = x;
  p.trials = trials;
  p.successes = p.false_positives = p.detections = 0;
  for (const Outcome& o : outcomes) {
    *p.successes += !o.false_positive && o.detection ? 1 : 0;
    *p.false_positives += o.false_positive ? 1 : 0;
    *p.detections += o.detection ? 1 : 0;
  }
  const double rate = static_cast<double>(*p.successes) / static_cast<double>(trials);
  const results::Interval interval = results::wilson(rate, trials);
  p.value = rate;
  p.low = interval.low;
  p.high = interval.high;
  p.source = x.cross ? kCrossSource : kTheorySource;
  return p;
}

}  // namespace lra::harness::study

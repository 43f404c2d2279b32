#include "harness/diagnose/sequence.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/runtime.h"
#include "harness/diagnose/row_statistics.h"

namespace lra::harness::diagnose {
namespace {

using attention::Plain;
using engine::Tensor;
using engine::Value;

constexpr int kPowerIterations = 20;

double zero_rate(const Plain& x, std::int64_t h) {
  const std::int64_t size = x.dim(1) * x.dim(2);
  const double* begin = x.row(h, 0);
  return static_cast<double>(std::count(begin, begin + size, 0.0)) / static_cast<double>(size);
}

void add_row(const RowStatistics& s, std::size_t keys, std::int64_t n, Measures& head) {
  head.add(Field::entropy_norm, s.entropy_norm);
  head.add(Field::n_eff, s.n_eff);
  head.add(Field::n_eff_ratio, s.n_eff / static_cast<double>(keys));
  head.add(Field::participation, s.participation);
  head.add(Field::max_weight, s.max_weight);
  head.add(Field::top8_mass, s.top8_mass);
  head.add(Field::top64_mass, s.top64_mass);
  constexpr auto kMass = static_cast<std::size_t>(Field::local_mass_01);
  constexpr auto kGain = static_cast<std::size_t>(Field::local_gain_01);
  for (std::size_t r = 0; r < kLocalWidths.size(); ++r) {
    head.add(field_at(kMass + r), s.local_mass[r]);
    // Ratio of the summed local mass of all rows to that of uniform rows.
    if (s.local_uniform[r] > 0) {
      head.add(field_at(kGain + r), s.local_mass[r] / s.local_uniform[r], s.local_uniform[r]);
    }
  }
  head.add(Field::mean_distance, s.span / static_cast<double>(n));
  head.add(Field::attention_span, s.span);
  head.add(Field::neg_mass, s.neg_mass);
}

std::vector<double> softmax_row(const Plain& q, const Plain& k, std::int64_t h, std::int64_t i,
                                std::size_t keys) {
  const double root = std::sqrt(static_cast<double>(q.dim(2)));
  return attention::plain_softmax(
      attention::each_key(static_cast<std::int64_t>(keys),
                          [&](std::int64_t j) { return attention::dot(q, k, h, i, j) / root; }));
}

// sum_ij w_ij^2 of head h.
double squared_frobenius(const attention::Weights& weights, std::int64_t h) {
  double sum = 0;
  for (std::int64_t i = 0; i < weights.q.dim(1); ++i) {
    for (const double w : weights.row(h, i).w) sum += w * w;
  }
  return sum;
}

// [H, N, D] with the next draws in the first n rows of each head, zeros in the padding.
template <class Draw>
std::vector<float> in_real_rows(const engine::Shape& shape, std::int64_t n, const Draw& draw) {
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(shape.numel()));
  for (std::int64_t i = 0; i < shape.numel(); ++i) {
    values.push_back(i / shape[-1] % shape[-2] < n ? draw() : 0.0F);
  }
  return values;
}

Tensor random_signs(const engine::Shape& shape, std::int64_t n, engine::DType type, RandomKey key) {
  RandomStream random(key);
  const auto sign = [&random] { return (random.bits() & 1U) != 0 ? 1.0F : -1.0F; };
  return Tensor::from(shape, in_real_rows(shape, n, sign), type);
}

// Largest entries of d (sum of +-o) / d (q, k) in each head.
void measure_gradients(const attention::Attention& attention, const attention::Heads& x,
                       const attention::Context& context, RandomKey key,
                       std::vector<Measures>& heads) {
  engine::Tape tape;
  attention::Heads leaves = x;
  leaves.q = tape.leaf(x.q.tensor());
  const bool shared = x.q.tensor().raw() == x.k.tensor().raw();
  leaves.k = shared ? leaves.q : tape.leaf(x.k.tensor());
  const Value o = attention::attend(attention, leaves, context);
  if (o.gradient() == nullptr) return;  // the result does not depend on q and k
  tape.backward(o, random_signs(o.shape(), x.length, o.dtype(), key));
  std::vector<Plain> gradients;
  for (const Value* leaf : {&leaves.q, &leaves.k}) {
    const Tensor& gradient = leaf->gradient()->value();
    if (gradient.defined()) gradients.push_back(attention::first_rows(gradient, x.length));
    if (shared) break;
  }
  for (std::size_t h = 0; h < heads.size() && !gradients.empty(); ++h) {
    std::vector<double> sizes;
    for (const Plain& g : gradients) {
      const double* begin = g.row(static_cast<std::int64_t>(h), 0);
      for (std::int64_t c = 0; c < g.dim(1) * g.dim(2); ++c) sizes.push_back(std::abs(begin[c]));
    }
    if (!std::all_of(sizes.begin(), sizes.end(), [](double g) { return std::isfinite(g); }))
      continue;
    const auto at = sizes.begin() + static_cast<std::ptrdiff_t>((sizes.size() - 1) * 99 / 100);
    std::nth_element(sizes.begin(), at, sizes.end());
    heads[h].add(Field::grad_p99, *at);
    heads[h].add(Field::grad_max, *std::max_element(at, sizes.end()));
  }
}

// Scales each column of the heads of x [H, N, C] to length 1; returns the lengths [H][C].
std::vector<std::vector<double>> normalise_columns(std::vector<float>& x,
                                                   const engine::Shape& shape) {
  const auto C = static_cast<std::size_t>(shape[2]);
  const auto head = static_cast<std::size_t>(shape[1]) * C;
  std::vector<std::vector<double>> lengths(static_cast<std::size_t>(shape[0]),
                                           std::vector<double>(C, 0.0));
  for (std::size_t i = 0; i < x.size(); ++i) {
    lengths[i / head][i % C] += double{x[i]} * double{x[i]};
  }
  for (auto& of_head : lengths) {
    for (double& length : of_head) length = std::sqrt(length);
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double length = lengths[i / head][i % C];
    x[i] = length > 0 ? static_cast<float>(double{x[i]} / length) : 0.0F;
  }
  return lengths;
}

}  // namespace

void measure_rows(const attention::Weights& weights, const Plain& q, const Plain& k,
                  std::int64_t rows, std::vector<Measures>& heads) {
  const std::int64_t n = q.dim(1);
  const std::int64_t R = std::min(rows, n);
  for (std::int64_t h = 0; h < q.dim(0); ++h) {
    Measures& head = heads[static_cast<std::size_t>(h)];
    double squares = 0;
    for (std::int64_t r = 0; r < R; ++r) {
      const std::int64_t i = (2 * r + 1) * n / (2 * R);
      const attention::Row row = weights.row(h, i);
      const auto statistics = row_statistics(row.w, i, n);
      if (statistics) squares += statistics->squares;
      if (row.w.size() < 2) continue;
      const bool dead = row.dead || !statistics;
      head.add(Field::dead_rows, dead ? 1 : 0);
      if (dead) continue;
      add_row(*statistics, row.w.size(), n, head);
      head.add(Field::softmax_distance,
               total_variation(row.w, softmax_row(q, k, h, i, row.w.size())));
    }
    const double norm_over_root = std::sqrt(squares / static_cast<double>(R));
    head.add(Field::frobenius, norm_over_root * std::sqrt(static_cast<double>(n)));
    head.add(Field::fro_over_sqrt_n, norm_over_root);
    if (weights.features) {
      head.add(Field::zero_feature_rate, (zero_rate(weights.q, h) + zero_rate(weights.k, h)) / 2);
    }
  }
}

std::vector<double> largest_singular_values(const attention::Attention& attention,
                                            const attention::Heads& x,
                                            const attention::Context& context, RandomKey key) {
  const engine::Shape& shape = x.v.shape();
  RandomStream random(key);
  std::vector<float> columns =
      in_real_rows(shape, x.key_length, [&random] { return static_cast<float>(random.normal()); });
  std::vector<double> largest(static_cast<std::size_t>(shape[0]), 0.0);
  for (int iteration = 0; iteration < kPowerIterations; ++iteration) {
    normalise_columns(columns, shape);
    engine::Tape tape;
    attention::Heads values = x;
    values.v = tape.leaf(Tensor::from(shape, columns, x.v.dtype()));
    const Value y = attention::attend(attention, values, context);
    if (y.gradient() == nullptr) return largest;  // the result does not depend on v
    std::vector<float> image = y.tensor().to_floats();
    const auto lengths = normalise_columns(image, y.shape());
    for (std::size_t h = 0; h < largest.size(); ++h) {
      largest[h] = *std::max_element(lengths[h].begin(), lengths[h].end());
    }
    tape.backward(y, Tensor::from(y.shape(), image, y.dtype()));
    const Tensor gradient = values.v.gradient()->value();
    if (!gradient.defined()) return std::vector<double>(largest.size(), 0.0);
    columns = gradient.to_floats();
  }
  return largest;
}

Probe::Probe(const models::Model& model, std::int64_t rows, std::uint64_t seed)
    : model_(model), rows_(rows), seed_(seed), parameters_(model.layers().size()) {
  for (std::size_t l = 0; l < parameters_.size(); ++l) {
    const std::string prefix = fmt::format("layers.{}.attention.", l);
    for (const auto& entry : model.parameters().entries()) {
      if (!entry.name.starts_with(prefix)) continue;
      parameters_[l][entry.name.substr(prefix.size())] =
          attention::to_plain(model.parameters().tensor(entry));
    }
  }
}

SequenceMeasures Probe::measure(std::span<const std::uint16_t> ids, std::uint64_t id,
                                bool thorough) const {
  const engine::WorkerScope worker;
  const engine::ParameterScope scope(model_.parameters(), {});
  const RandomKey key = RandomKey(seed_).of("diagnosis").of(id);
  models::Pass pass;
  pass.key = key;
  pass.fixed = RandomKey(seed_).of("fixed");
  const std::vector<Value> inputs = model_.trace(ids, pass);
  SequenceMeasures result;
  for (std::size_t l = 0; l < model_.layers().size(); ++l) {
    const models::EncoderLayer& layer = *model_.layers()[l];
    auto& heads = result.heads.emplace_back(static_cast<std::size_t>(model_.config().heads));
    if (layer.input() == attention::Input::block) continue;
    const attention::Heads x = layer.heads(inputs[l], pass);
    std::map<std::string, Tensor> draws;
    attention::Context context = layer.context(pass);
    context.draws = &draws;
    static_cast<void>(attention::attend(layer.attention(), x, context));  // for its draws

    attention::PlainInputs in;
    in.q = attention::first_rows(x.q.tensor(), x.length);
    in.k = attention::first_rows(x.k.tensor(), x.key_length);
    in.v = attention::first_rows(x.v.tensor(), x.key_length);
    in.x = attention::first_rows(x.x.tensor(), x.length);
    in.parameters = parameters_[l];
    for (const auto& [name, draw] : draws) in.draws[name] = attention::to_plain(draw);
    in.rows = x.q.dim(1);
    in.key_rows = x.k.dim(1);
    const attention::Weights weights = layer.attention().weights(in);
    if (weights.defined()) {
      result.matrix = true;
      measure_rows(weights, in.q, in.k, rows_, heads);
    }
    if (!thorough) continue;
    const RandomKey layer_key = key.of(l);
    measure_gradients(layer.attention(), x, context, layer_key.of("signs"), heads);
    if (!weights.defined() || !weights.whole || x.length > kMostOfRank) continue;
    const auto singular =
        largest_singular_values(layer.attention(), x, context, layer_key.of("columns"));
    for (std::size_t h = 0; h < heads.size(); ++h) {
      const double squares = squared_frobenius(weights, static_cast<std::int64_t>(h));
      heads[h].add(Field::stable_rank, squares / (singular[h] * singular[h]));
    }
  }
  return result;
}

}  // namespace lra::harness::diagnose

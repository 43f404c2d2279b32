// Trained classification separation. Data: the matrices of theory.cpp with a0 = 0, label = data
// set, plus N(0, sigma^2) on every entry, sigma = a1 s / 6, so that the planted entry is six noise
// units high; rows permuted per sample; columns rotated by one fixed orthogonal matrix. Noise is
// needed: a trained linear attention is an energy detector and separates noise-free data at any n
// by scale. Model: one head of a registered attention over learned maps q, k, v (identity + N(0,
// 0.01^2)), a relu layer of width m, the mean over tokens, two logits; no positions and, unless
// `residual` or `maxpool` says otherwise, no path that finds the token without attention. A variant
// that takes the block's input gets the tokens themselves. AdamW, batch 32; of the rates 1e-3 and
// 3e-3 the better on 1,000 validation samples; 4,000 training and 4,000 test samples. Everything
// runs on the engine, a sequence a tape.

#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "attention/attention.h"
#include "engine/runtime.h"
#include "harness/study/parallel.h"
#include "harness/study/separation.h"
#include "models/optimizer.h"
#include "results/analysis/statistics.h"

namespace lra::harness::study {

Variant parse_variant(const std::string& text) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, ':');) parts.push_back(part);
  Variant variant;
  variant.name = attention::registry().canonical(parts.empty() ? text : parts.front());
  nlohmann::json options = nlohmann::json::object();
  if (variant.name == "polynomial") options["degree"] = 3;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::size_t equals = parts[i].find('=');
    if (equals == std::string::npos) {
      fail(ErrorKind::usage, "study separation: kernel {}: expected NAME:OPTION=VALUE:..., got {}",
           text, parts[i]);
    }
    options[parts[i].substr(0, equals)] = parts[i].substr(equals + 1);
  }
  variant.options = attention::resolved_options(variant.name, options);
  return variant;
}

namespace {

using engine::Tensor;
using engine::Value;

constexpr std::int64_t kTrain = 4000, kBatch = 32, kLanes = 8;

// A random orthogonal matrix [d, d]: Gram-Schmidt on standard normals.
std::vector<double> rotation(std::int64_t d, RandomKey key) {
  RandomStream stream(key);
  const auto size = static_cast<std::size_t>(d);
  std::vector<double> q(size * size);
  for (double& x : q) x = stream.normal();
  for (std::size_t i = 0; i < size; ++i) {
    double* row = q.data() + i * size;
    for (std::size_t j = 0; j < i; ++j) {
      const double* other = q.data() + j * size;
      const double along = std::inner_product(row, row + size, other, 0.0);
      for (std::size_t c = 0; c < size; ++c) row[c] -= along * other[c];
    }
    const double norm = std::sqrt(std::inner_product(row, row + size, row, 0.0));
    for (std::size_t c = 0; c < size; ++c) row[c] /= norm;
  }
  return q;
}

// Sample `index` of a split; its label is index mod 2.
class Data {
 public:
  Data(const Setting& x, RandomKey key)
      : x_(x), key_(key), rotation_(rotation(x.d, key.of("rotation"))) {}

  // [n, d]
  [[nodiscard]] Tensor sample(std::string_view split, std::int64_t index) const {
    RandomStream stream(key_.of(split).of(static_cast<std::uint64_t>(index)));
    const double s = std::sqrt(std::log(static_cast<double>(x_.n)));
    const double sigma = x_.a1 * s / 6;
    const auto d = static_cast<std::size_t>(x_.d);
    std::vector<std::int64_t> order(static_cast<std::size_t>(x_.n));
    std::iota(order.begin(), order.end(), 0);
    for (std::size_t i = order.size(); i > 1; --i) {
      std::swap(order[i - 1], order[stream.below(static_cast<std::uint32_t>(i))]);
    }
    const std::int64_t marked = stream.below(static_cast<std::uint32_t>(x_.n));
    Tensor result({x_.n, x_.d}, engine::DType::f32);
    std::vector<double> row(d);
    for (std::size_t i = 0; i < order.size(); ++i) {
      for (double& entry : row) entry = sigma * stream.normal();
      if (order[i] == marked && index % 2 == 1) row[0] += x_.a1 * s;
      row[1 + static_cast<std::size_t>(order[i]) % (d - 2)] += (1 - x_.c) * s;
      row[d - 1] += x_.c * s;
      for (std::size_t c = 0; c < d; ++c) {
        result.f32()[i * d + c] = static_cast<float>(std::inner_product(
            row.begin(), row.end(), rotation_.begin() + static_cast<std::ptrdiff_t>(c * d), 0.0));
      }
    }
    return result;
  }

 private:
  Setting x_;
  RandomKey key_;
  std::vector<double> rotation_;
};

engine::Initialiser near_identity(std::int64_t d) {
  return [d](RandomStream& stream, std::span<float> w) {
    for (std::size_t i = 0; i < w.size(); ++i) {
      const bool diagonal = i % static_cast<std::size_t>(d + 1) == 0;
      w[i] = static_cast<float>((diagonal ? 1 : 0) + 0.01 * stream.normal());
    }
  };
}

class Classifier {
 public:
  Classifier(const Variant& variant, const Setting& x, std::uint64_t seed)
      : x_(x),
        seed_(seed),
        input_(attention::registry().at(variant.name).traits.input),
        attention_(attention::create(variant.name, variant.options)) {
    attention_->build(attention::ParameterBuilder(parameters_, "attention."),
                      {.heads = 1, .head_dim = x.d, .width = x.d, .max_length = x.n});
    if (input_ != attention::Input::block) {
      q_ = parameters_.add("q", {x.d, x.d}, near_identity(x.d));
      if (input_ == attention::Input::heads) {
        k_ = parameters_.add("k", {x.d, x.d}, near_identity(x.d));
      }
      v_ = parameters_.add("v", {x.d, x.d}, near_identity(x.d));
    }
    hidden_ = parameters_.add("hidden", {x.d, x.m}, engine::init::torch_linear(x.d));
    hidden_bias_ = parameters_.add("hidden.bias", {x.m}, engine::init::torch_linear(x.d));
    logits_ = parameters_.add("logits", {x.m, 2}, engine::init::torch_linear(x.m));
    logits_bias_ = parameters_.add("logits.bias", {2}, engine::init::torch_linear(x.m));
    parameters_.initialise(seed, engine::DType::f32);
  }

  [[nodiscard]] engine::Parameters& parameters() { return parameters_; }

  // [1, 2]
  [[nodiscard]] Value logits(const Value& x, bool training, RandomKey call,
                             std::int64_t step) const {
    attention::Context context;
    context.length = x_.n;
    context.training = training;
    context.call = call;
    context.fixed = RandomKey(seed_).of("fixed");
    context.step = step;
    std::map<std::string, Value> carried;
    context.carried = &carried;
    Value out = attended(x, context);  // [n, d]
    if (x_.residual) out = out + x;
    const Value hidden = linear(out, hidden_.value(), hidden_bias_.value(), {.relu = true});
    const Value pooled = x_.maxpool ? engine::max(hidden, 0) : engine::mean(hidden, 0);
    return linear(reshape(pooled, {1, x_.m}), logits_.value(), logits_bias_.value());
  }

 private:
  [[nodiscard]] Value attended(const Value& x, const attention::Context& context) const {
    if (input_ == attention::Input::block) return attention::mix(*attention_, x, context);
    const auto heads = [&](const engine::Parameter& w) {
      return reshape(matmul(x, w.value()), {1, x_.n, x_.d});
    };
    attention::Heads h;
    h.q = heads(q_);
    h.k = input_ == attention::Input::heads ? heads(k_) : h.q;
    h.v = heads(v_);
    h.length = h.key_length = x_.n;
    h.x = x;
    return reshape(attention::attend(*attention_, h, context), {x_.n, x_.d});
  }

  Setting x_;
  std::uint64_t seed_;
  attention::Input input_;
  std::unique_ptr<attention::Attention> attention_;
  engine::Parameters parameters_;
  engine::Parameter q_, k_, v_, hidden_, hidden_bias_, logits_, logits_bias_;
};

double accuracy(const Classifier& model, engine::Parameters& parameters, const Data& data,
                std::string_view split, std::int64_t count) {
  const auto right = parallel_map<int>(count, [&](std::int64_t i) {
    const engine::WorkerScope worker;
    const engine::ParameterScope scope(parameters, {});
    const RandomKey call = RandomKey(1).of("evaluation").of(static_cast<std::uint64_t>(i));
    const Value logits = model.logits(Value(data.sample(split, i)), false, call, 0);
    const float* p = logits.tensor().f32();
    return (p[1] > p[0]) == (i % 2 == 1) ? 1 : 0;
  });
  return static_cast<double>(std::accumulate(right.begin(), right.end(), 0)) /
         static_cast<double>(count);
}

struct Trained {
  double validation = 0, test = 0;
};

Trained train(const Variant& variant, const Setting& x, const Data& data, double rate,
              const Request& request, std::uint64_t seed) {
  Classifier model(variant, x, seed);
  engine::Parameters& parameters = model.parameters();
  std::vector<Tensor> lanes;
  for (std::int64_t i = 0; i < kLanes; ++i) {
    lanes.push_back(Tensor::zeros({parameters.flat_size()}));
  }
  models::OptimizerState state = models::make_optimizer_state(parameters);
  models::TrainConfig config;
  config.lr = rate;
  config.schedule = models::Schedule::constant;
  config.steps = request.steps;
  for (std::int64_t step = 0; step < request.steps; ++step) {
    const RandomKey key = RandomKey(seed).of("batch").of(static_cast<std::uint64_t>(step));
    tbb::parallel_for(std::int64_t{0}, kLanes, [&](std::int64_t lane) {
      const engine::WorkerScope worker;
      const engine::ParameterScope scope(parameters, lanes[static_cast<std::size_t>(lane)]);
      for (std::int64_t i = lane; i < kBatch; i += kLanes) {
        const RandomKey call = key.of(static_cast<std::uint64_t>(i));
        RandomStream draw(call.of("index"));
        // Both labels equally often in every batch.
        const std::int64_t index = 2 * std::int64_t{draw.below(kTrain / 2)} + i % 2;
        engine::Tape tape;
        const Value logits = model.logits(Value(data.sample("train", index)), true, call, step);
        const std::array<std::int32_t, 1> label{static_cast<std::int32_t>(index % 2)};
        tape.backward(engine::cross_entropy(logits, label, 1.0F / kBatch));
      }
    });
    models::update(parameters, lanes, state, config, step);
  }
  return {accuracy(model, parameters, data, "validation", request.test / 4),
          accuracy(model, parameters, data, "test", request.test)};
}

// The statistic of the signal column that a one-head model of the family can form.
enum class Statistic { none, square, relu_square, fourth, largest };
Statistic statistic(const std::string& kernel) {
  if (kernel == "softmax") return Statistic::largest;
  if (kernel == "linear_transformer") return Statistic::square;
  if (kernel == "cosformer") return Statistic::relu_square;
  if (kernel == "polynomial") return Statistic::fourth;
  return Statistic::none;
}

// Accuracy of the best single threshold on the statistic of n unit normals of which class 1 shifts
// one by 6; 4,000 draws a class, standard error of about 0.005.
std::optional<double> reference_line(Statistic kind, std::int64_t n, std::uint64_t seed) {
  if (kind == Statistic::none) return std::nullopt;
  constexpr std::int64_t kDraws = 8000;
  struct Draw {
    double value = 0;
    bool shifted = false;
  };
  auto draws = parallel_map<Draw>(kDraws, [&](std::int64_t i) {
    RandomStream stream(RandomKey(seed)
                            .of("statistic")
                            .of(static_cast<std::uint64_t>(n))
                            .of(static_cast<std::uint64_t>(i)));
    Draw draw{kind == Statistic::largest ? -1e9 : 0, i % 2 == 1};
    for (std::int64_t l = 0; l < n; ++l) {
      const double x = stream.normal() + (l == 0 && draw.shifted ? 6 : 0);
      if (kind == Statistic::square) draw.value += x * x;
      if (kind == Statistic::relu_square) draw.value += x > 0 ? x * x : 0;
      if (kind == Statistic::fourth) draw.value += x * x * x * x;
      if (kind == Statistic::largest) draw.value = std::max(draw.value, x);
    }
    return draw;
  });
  std::sort(draws.begin(), draws.end(),
            [](const Draw& a, const Draw& b) { return a.value < b.value; });
  std::int64_t right = kDraws / 2;  // a threshold below everything
  std::int64_t best = right;
  for (const Draw& d : draws) best = std::max(best, right += d.shifted ? -1 : 1);
  return static_cast<double>(best) / kDraws;
}

}  // namespace

Point train_point(const std::string& kernel, const Setting& x, const Request& request) {
  const Variant variant = parse_variant(kernel);
  Point p;
  p.kernel = kernel;
  p.setting = x;
  p.trials = request.trials;
  p.source = kTrainSource;
  p.reference = reference_line(statistic(variant.name), x.n, request.seed);
  std::vector<double> accuracies;
  for (std::int64_t s = 0; s < request.trials; ++s) {
    const RandomKey key =
        RandomKey(request.seed).of("separation train").of(static_cast<std::uint64_t>(s));
    const Data data(x, key.of("data"));
    Trained best{-1, 0};
    for (const double rate : {1e-3, 3e-3}) {
      const Trained t = train(variant, x, data, rate, request, key.of("model").value());
      if (t.validation > best.validation) best = t;
    }
    accuracies.push_back(best.test);
  }
  const auto summary = results::summarize(accuracies);
  p.value = summary->mean;
  if (summary->interval95) {
    p.low = summary->interval95->low;
    p.high = summary->interval95->high;
  }
  return p;
}

}  // namespace lra::harness::study

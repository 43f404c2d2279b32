// Diagnostics of attention against matrices whose numbers are known.

#include "harness/diagnose/diagnose.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attention/check/trial.h"
#include "engine/runtime.h"
#include "harness/diagnose/sequence.h"
#include "tests/catch.h"

namespace lra::harness::diagnose {
namespace {

using attention::Plain;
using engine::Tensor;
using engine::Value;
using lra::testing::Approx;
using nlohmann::json;

constexpr double kOracle = 1e-4;  // the digits of the analytic values
const json kDefaults = json::object();

// One head of n queries and keys, all entries `value`.
Plain constant(std::int64_t n, double value) {
  Plain x({1, n, 4});
  std::fill(x.data.begin(), x.data.end(), value);
  return x;
}

Plain random(std::int64_t n, std::uint64_t seed) {
  RandomStream stream{RandomKey(seed)};
  Plain x({1, n, 4});
  for (double& value : x.data) value = stream.normal();
  return x;
}

// All rows of a variant for queries q and keys k.
Measures measure_all(const std::string& variant, const json& options, const Plain& q,
                     const Plain& k) {
  const auto attention = attention::create(variant, options);
  attention::PlainInputs in;
  in.q = q;
  in.k = k;
  in.rows = in.key_rows = q.dim(1);
  std::vector<Measures> heads(1);
  measure_rows(attention->weights(in), q, k, q.dim(1), heads);
  return heads.front();
}

TEST_CASE("diagnose: uniform rows have the whole support, one-hot rows none of it", "[unit]") {
  constexpr std::int64_t n = 100;
  const Measures uniform = measure_all("softmax", kDefaults, constant(n, 0), constant(n, 1));
  CHECK(*uniform[Field::entropy_norm] == Approx(1));
  CHECK(*uniform[Field::n_eff] == Approx(n));
  CHECK(*uniform[Field::n_eff_ratio] == Approx(1));
  CHECK(*uniform[Field::participation] == Approx(n));
  CHECK(*uniform[Field::frobenius] == Approx(1));
  CHECK(*uniform[Field::local_gain_10] == Approx(1));
  CHECK(*uniform[Field::mean_distance] == Approx(1.0 / 3).margin(kOracle));
  CHECK(*uniform[Field::softmax_distance] == Approx(0).margin(1e-12));
  const Measures own = measure_all("identity", kDefaults, constant(n, 0), constant(n, 1));
  CHECK(*own[Field::entropy_norm] == 0);
  CHECK(*own[Field::n_eff] == Approx(1));
  CHECK(*own[Field::participation] == Approx(1));
  CHECK(*own[Field::max_weight] == 1);
  CHECK(*own[Field::frobenius] == Approx(std::sqrt(n)));
  CHECK(*own[Field::fro_over_sqrt_n] == Approx(1));
  CHECK(*own[Field::attention_span] == 0);
  CHECK(*own[Field::softmax_distance] == Approx(1 - 1.0 / n));
  CHECK_FALSE(own[Field::zero_feature_rate].has_value());
}

TEST_CASE("diagnose: the cosine alone has the values of its integral", "[unit]") {
  struct Oracle {
    std::int64_t n;
    double entropy_norm;
  };
  for (const Oracle& o : {Oracle{64, 0.9902}, Oracle{256, 0.9927}, Oracle{1024, 0.9941}}) {
    INFO("n = " << o.n);
    const Plain ones = constant(o.n, 1);
    const Measures m = measure_all("cosformer", kDefaults, ones, ones);
    CHECK(*m[Field::entropy_norm] == Approx(o.entropy_norm).margin(kOracle));
    CHECK(*m[Field::frobenius] == Approx(1.0348).margin(kOracle));
    CHECK(*m[Field::mean_distance] == Approx(0.2769).margin(kOracle));
    CHECK(*m[Field::neg_mass] == 0);
    CHECK(*m[Field::dead_rows] == 0);
    if (o.n < 1024) continue;
    CHECK(*m[Field::local_mass_10] == Approx(0.1214).margin(kOracle));
    CHECK(*m[Field::local_gain_10] == Approx(1.24).margin(5e-3));
    // Without it the rows are uniform.
    const Measures plain = measure_all("cosformer", {{"reweight", false}}, ones, ones);
    CHECK(*plain[Field::entropy_norm] == Approx(1));
    CHECK(*plain[Field::local_mass_10] == Approx(0.0981).margin(kOracle));
  }
  // The continuum limit: the first row keeps (2/pi) e^(1 - ln 2) of the support.
  const auto cosformer = attention::create("cosformer", kDefaults);
  attention::PlainInputs in;
  in.q = in.k = constant(1024, 1);
  const attention::Row row = cosformer->weights(in).row(0, 0);
  double entropy = 0;
  for (const double p : row.w) entropy -= p > 0 ? p * std::log(p) : 0;
  CHECK(std::exp(entropy) / 1024 == Approx(0.8653).margin(1e-3));
}

TEST_CASE("diagnose: signs, dead rows and zero features of kernels", "[unit]") {
  constexpr std::int64_t n = 200;
  const Plain q = random(n, 1);
  const Plain k = random(n, 2);
  const Measures relu = measure_all("cosformer", {{"act", "relu"}}, q, k);
  CHECK(*relu[Field::neg_mass] == 0);
  CHECK(*relu[Field::zero_feature_rate] == Approx(0.5).margin(0.05));
  const Measures signed_kernel =
      measure_all("cosformer", {{"act", "identity"}, {"reweight", false}}, q, k);
  CHECK(*signed_kernel[Field::neg_mass] > 0.3);
  CHECK(*signed_kernel[Field::neg_mass] < 0.7);
  CHECK(*signed_kernel[Field::zero_feature_rate] == 0);
  Plain half = q;  // every other query has no positive feature
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t c = 0; c < 4; ++c) half(0, i, c) = i % 2 == 0 ? -1 : 1;
  }
  const Measures dead = measure_all("cosformer", {{"act", "relu"}}, half, k);
  CHECK(*dead[Field::dead_rows] == Approx(0.5));
  CHECK(*dead[Field::entropy_norm] > 0.8);  // of the rows that live
}

TEST_CASE("diagnose: what a causal query does not see is no part of its row", "[unit]") {
  constexpr std::int64_t n = 50;
  const Measures m = measure_all("softmax", {{"causal", true}}, constant(n, 0), constant(n, 1));
  CHECK(*m[Field::entropy_norm] == Approx(1));
  CHECK(*m[Field::n_eff] == Approx(26));  // the mean of 2..50
  CHECK(*m[Field::attention_span] == Approx(12.5));
}

TEST_CASE("diagnose: the stated rows give the fast output, whatever the padding", "[unit]") {
  using attention::Probe;
  using attention::ProbeSetup;
  constexpr std::int64_t n = 34;
  for (const char* variant : {"softmax", "linear", "cosformer", "hedgehog", "based"}) {
    for (const bool causal : {false, true}) {
      for (const std::int64_t padding :
           {std::int64_t{0}, std::int64_t{1}, std::int64_t{17}, n / 2}) {
        INFO(variant << (causal ? ", causal" : "") << ", padding " << padding);
        const Probe probe(variant, {{"causal", causal}}, ProbeSetup::self(n, n + padding));
        const auto inputs = probe.inputs(1, 7);
        const auto result = probe.run(inputs, {});
        const attention::PlainInputs in = probe.plain(inputs, result.draws);
        CHECK(attention::relative_error(probe.real_rows("q", result.out), probe.define(in)) < 1e-5);
      }
    }
  }
}

TEST_CASE("diagnose: power iterations find the largest singular value", "[unit]") {
  constexpr std::int64_t n = 21;
  const Plain q = random(n, 3);
  const Plain k = random(n, 4);
  const auto value = [](const Plain& x) {
    return Value(Tensor::from(x.shape, std::vector<float>(x.data.begin(), x.data.end())));
  };
  for (const char* variant : {"softmax", "linear", "identity"}) {
    INFO(variant);
    const auto attention = attention::create(variant, kDefaults);
    const engine::WorkerScope worker;
    const attention::Heads heads{value(q), value(k), value(random(n, 5)), n, n, {}, {}};
    const auto found = largest_singular_values(*attention, heads, {}, RandomKey(6));
    // The same from the rows, in double and with more iterations.
    attention::PlainInputs in;
    in.q = q;
    in.k = k;
    in.key_rows = n;
    const attention::Weights w = attention->weights(in);
    std::vector<double> x(n, 1.0);
    x[3] = 2;
    double norm = 0;
    for (int iteration = 0; iteration < 500; ++iteration) {
      std::vector<double> next(n, 0.0);
      norm = 0;
      for (const double a : x) norm += a * a;
      for (double& a : x) a /= std::sqrt(norm);
      norm = 0;
      for (std::int64_t i = 0; i < n; ++i) {
        const attention::Row row = w.row(0, i);
        double y = 0;
        for (std::size_t j = 0; j < row.w.size(); ++j) y += row.w[j] * x[j];
        norm += y * y;
        for (std::size_t j = 0; j < row.w.size(); ++j) next[j] += row.w[j] * y;
      }
      x = next;
    }
    CHECK(found.at(0) == Approx(std::sqrt(norm)).epsilon(1e-3));
  }
}

// A variant that returns q, whatever the values are, as a user's first attempt may.
class OnlyQueries final : public attention::Attention {
 public:
  [[nodiscard]] Value forward(const attention::Heads& x, const attention::Context&) const override {
    return x.q;
  }
};

TEST_CASE("diagnose: of an output that does not depend on v the singular values are 0", "[unit]") {
  const engine::WorkerScope worker;
  const Value x(Tensor::full({2, 5, 3}, 0.5F));
  const attention::Heads heads{x, x, Value(Tensor::full({2, 5, 3}, 1)), 5, 5, {}, {}};
  CHECK(largest_singular_values(OnlyQueries(), heads, {}, RandomKey(6)) ==
        std::vector<double>{0, 0});
}

// Made-up sequences of 20 to 38 tokens.
class Sequences final : public tasks::Dataset {
 public:
  Sequences() {
    RandomStream random{RandomKey(8)};
    for (std::size_t i = 0; i < 10; ++i) {
      std::vector<tasks::Token>& tokens = sequences_.emplace_back();
      for (std::size_t t = 0; t < 20 + 2 * i; ++t) {
        tokens.push_back(static_cast<tasks::Token>(1 + random.below(9)));
      }
    }
  }
  [[nodiscard]] std::size_t size() const override { return sequences_.size(); }
  [[nodiscard]] tasks::Example operator[](std::size_t index) const override {
    return {sequences_[index], {}, 0, {}};
  }

 private:
  std::vector<std::vector<tasks::Token>> sequences_;
};

Diagnosis diagnose_new(const std::string& variant, int threads) {
  models::ModelConfig config;
  config.width = config.qkv_width = config.ff_width = 16;
  models::ModelTask task;
  task.vocabulary = 10;
  task.max_length = 40;
  models::Model model(config, task, variant, attention::option_sets(variant).front());
  Workers workers(threads);
  workers.execute([&] { model.initialise(1, engine::DType::f32); });
  Settings settings;
  settings.samples = 6;
  settings.rows = 5;
  return diagnose(workers, model, Sequences(), settings, 1);
}

TEST_CASE("diagnose: every variant is measured or says that it cannot be", "[run]") {
  for (const std::string& variant : attention::registry().names()) {
    INFO(variant);
    const Diagnosis d = diagnose_new(variant, 2);
    CHECK(d.to_json() == diagnose_new(variant, 1).to_json());
    REQUIRE(d.heads.size() == 2);
    REQUIRE(d.heads.front().size() == 2);
    const Measures mean = d.mean();
    CHECK(d.matrix == mean[Field::entropy_norm].has_value());
    const bool block = attention::registry().at(variant).traits.input == attention::Input::block;
    CHECK_FALSE((block && (d.matrix || mean[Field::grad_max])));
    CHECK(mean[Field::grad_max].has_value() == mean[Field::grad_p99].has_value());
    const json j = d.to_json();
    CHECK(j["mean"]["entropy_norm"].is_null() != d.matrix);
    if (!d.matrix) continue;
    for (const Field share :
         {Field::entropy_norm, Field::n_eff_ratio, Field::max_weight, Field::top8_mass,
          Field::mean_distance, Field::neg_mass, Field::dead_rows, Field::softmax_distance}) {
      INFO(field_name(share));
      REQUIRE(mean[share].has_value());
      CHECK(*mean[share] >= 0);
      CHECK(*mean[share] <= 1 + 1e-9);
    }
  }
  for (const char* variant : {"softmax", "linear", "cosformer", "performer", "local", "gla"}) {
    CHECK(diagnose_new(variant, 2).matrix);
  }
  for (const char* variant : {"fnet", "s4d", "reformer", "hydra"}) {
    CHECK_FALSE(diagnose_new(variant, 2).matrix);
  }
  const Measures softmax = diagnose_new("softmax", 2).mean();
  CHECK(*softmax[Field::softmax_distance] < 1e-12);
  CHECK(*softmax[Field::fro_over_sqrt_n] <= 1);
  CHECK(*softmax[Field::stable_rank] >= 1 - 1e-4);
  CHECK(*diagnose_new("identity", 2).mean()[Field::stable_rank] > 19.9);  // n
  REQUIRE(softmax[Field::grad_p99]);
  CHECK(*softmax[Field::grad_p99] > 0);
  CHECK(*softmax[Field::grad_max] > *softmax[Field::grad_p99]);
}

TEST_CASE("diagnose: due at the start, at 10, 25, 50 and 100 %, or every so many steps", "[unit]") {
  const auto due = [](const Settings& settings, std::int64_t steps) {
    std::vector<std::int64_t> at;
    for (std::int64_t step = 0; step <= steps; ++step) {
      if (is_due(settings, step, steps)) at.push_back(step);
    }
    return at;
  };
  Settings settings;
  CHECK(due(settings, 1000) == std::vector<std::int64_t>{0, 100, 250, 500, 1000});
  CHECK(due(settings, 3) == std::vector<std::int64_t>{0, 1, 2, 3});
  settings.every = 400;
  CHECK(due(settings, 1000) == std::vector<std::int64_t>{0, 400, 800, 1000});
  settings.samples = 0;
  CHECK(due(settings, 1000).empty());
}

TEST_CASE("diagnose: a short training gets fewer examples, a long one all", "[unit]") {
  CHECK(within_share({}, 5000, 5000 * 32).samples == 64);
  const std::int64_t few = within_share({}, 600, 600 * 32).samples;
  CHECK(few > 1);
  CHECK(few < 64);
  CHECK(within_share({}, 10, 80).samples == 1);
}

}  // namespace
}  // namespace lra::harness::diagnose

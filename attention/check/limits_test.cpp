// Where a variant becomes softmax attention exactly (full windows, one block, one bucket, k = n) or
// in the limit (random features): outputs and gradients of q, k, v against the variant softmax.

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "attention/check/trial.h"
#include "engine/runtime.h"
#include "tests/catch.h"

namespace lra::attention {
namespace {

using nlohmann::json;

constexpr double kSameSums = 1e-5;      // the same sums in another order, in f32
constexpr double kGradientSums = 2e-5;  // of three products in a row
constexpr std::int64_t kLength = 45;    // divisible by no block below
constexpr std::int64_t kRows = 48;      // of the padded tensor

struct Limit {
  std::string variant;
  json options;
};

// Options with which a variant's pattern contains every pair of the kLength tokens.
std::vector<Limit> exact_limits() {
  return {
      {"local", {{"block_size", 64}}},
      {"local", {{"block_size", kLength}}},
      {"longformer", {{"window", 2 * kLength}}},
      {"bigbird", {{"block_size", 16}}},
      {"bigbird", {{"block_size", 64}}},
      {"sparse_transformer", {{"pattern", "fixed"}, {"block", 64}, {"causal", false}}},
      {"sparse_transformer", {{"pattern", "strided"}, {"bandwidth", 64}, {"causal", false}}},
      {"nystromformer", {{"landmarks", kLength}, {"conv_kernel", 0}}},
      {"nystromformer", {{"landmarks", 64}, {"conv_kernel", 0}}},
      {"h_transformer_1d", {{"block_size", 64}}},
      {"sinkhorn", {{"block_size", 64}}},
  };
}

double error_of(const Probe& probe, const std::string& name, const Tensor& actual,
                const Tensor& expected) {
  return relative_error(probe.real_rows(name, actual), probe.real_rows(name, expected));
}

TEST_CASE("limits: a pattern of all pairs is softmax attention", "[unit]") {
  for (const Limit& limit : exact_limits()) {
    INFO(limit.variant << ' ' << limit.options.dump());
    const ProbeSetup setup = ProbeSetup::self(kLength, kRows);
    const Probe variant(limit.variant, limit.options, setup);
    const Probe softmax("softmax", json::object(), setup);
    const auto actual = variant.run(variant.inputs(), variant.upstream());
    const auto expected = softmax.run(softmax.inputs(), softmax.upstream());
    CHECK(error_of(softmax, "q", actual.out, expected.out) <= kSameSums);
    for (const char* input : {"q", "k", "v"}) {
      INFO("gradient of " << input);
      CHECK(error_of(softmax, input, actual.gradients.at(input), expected.gradients.at(input)) <=
            kGradientSums);
    }
  }
}

TEST_CASE("limits: a pattern of some pairs is not", "[unit]") {
  // What the test above would not see if softmax itself were called for any options.
  const ProbeSetup setup = ProbeSetup::self(kLength, kRows);
  const Probe softmax("softmax", json::object(), setup);
  const auto expected = softmax.run(softmax.inputs(), Tensor());
  const std::vector<Limit> narrow{{"local", {{"block_size", 16}}},
                                  {"longformer", {{"window", 8}}},
                                  {"bigbird", {{"block_size", 4}}},
                                  {"nystromformer", {{"landmarks", 8}, {"conv_kernel", 0}}},
                                  {"h_transformer_1d", {{"block_size", 4}}},
                                  {"sinkhorn", {{"block_size", 16}}}};
  for (const Limit& limit : narrow) {
    INFO(limit.variant << ' ' << limit.options.dump());
    const Probe variant(limit.variant, limit.options, setup);
    const auto actual = variant.run(variant.inputs(), Tensor());
    CHECK(error_of(softmax, "q", actual.out, expected.out) > 1e-2);
  }
}

// As many projected keys as tokens, and identities for projections.
TEST_CASE("limits: Linformer with k = n and E = F = 1 is softmax attention", "[unit]") {
  ProbeSetup setup = ProbeSetup::self(kLength, kLength);
  setup.max_length = kLength;
  const Probe softmax("softmax", json::object(), setup);
  const Tensors inputs = softmax.inputs();
  const auto expected = softmax.run(inputs, softmax.upstream());

  const auto linformer = create("linformer", {{"kproj", kLength}});
  Dimensions d;
  d.heads = setup.heads;
  d.head_dim = setup.head_dim;
  d.width = setup.heads * setup.head_dim;
  d.max_length = kLength;
  engine::Parameters parameters;
  linformer->build({parameters, ""}, d);
  parameters.initialise(setup.seed, DType::f32);
  REQUIRE(parameters.entries().size() == 1);
  float* E = parameters.tensor(parameters.entries().front()).f32();  // [H, n, n]
  for (std::int64_t i = 0; i < setup.heads * kLength * kLength; ++i) {
    E[i] = i / kLength % kLength == i % kLength ? 1.0F : 0.0F;
  }
  parameters.refresh();

  const engine::WorkerScope worker;
  const Tensor sums = Tensor::zeros({parameters.flat_size()});
  const engine::ParameterScope scope(parameters, sums);
  engine::Tape tape;
  std::map<std::string, Value> leaves;
  for (const char* name : {"q", "k", "v"}) leaves[name] = tape.leaf(inputs.at(name));
  const Heads heads{leaves.at("q"), leaves.at("k"), leaves.at("v"), kLength, kLength, {}, {}};
  const Value out = attend(*linformer, heads, Context());
  CHECK(error_of(softmax, "q", out.tensor(), expected.out) <= kSameSums);
  tape.backward(out, softmax.upstream());
  for (const char* name : {"q", "k", "v"}) {
    INFO("gradient of " << name);
    CHECK(error_of(softmax, name, leaves.at(name).gradient()->value(),
                   expected.gradients.at(name)) <= kGradientSums);
  }
}

// Two chunks of one round contain every token, and a query sees both: whatever the hash, all keys
// but itself. (Of several rounds the first chunk looks back into the round before.)
TEST_CASE("limits: Reformer with one bucket is softmax attention over all other tokens", "[unit]") {
  const Probe reformer("reformer",
                       {{"bucket_size", 64}, {"n_hashes", 1}, {"logit_scale", "D^-1/2"}},
                       ProbeSetup::self(kLength, kRows));
  const Tensors inputs = reformer.inputs();
  const auto actual = reformer.run(inputs, Tensor());
  PlainInputs in = reformer.plain(inputs, {});
  in.k = in.q;
  for (std::int64_t h = 0; h < in.k.dim(0); ++h) {
    for (std::int64_t j = 0; j < in.k.dim(1); ++j) {
      const double norm = std::sqrt(dot(in.q, in.q, h, j, j));
      for (std::int64_t c = 0; c < in.k.dim(2); ++c) in.k(h, j, c) = in.q(h, j, c) / norm;
    }
  }
  const auto others = [](std::int64_t, std::int64_t i, std::int64_t j) { return i == j ? 0 : 1; };
  const Plain expected = weighted_sum(softmax_weights(in.q, in.k, false, others), in.v);
  CHECK(relative_error(reformer.real_rows("qk", actual.out), expected) <= kSameSums);
}

// The softmax kernel is an expectation over the features: the error falls as M^-1/2.
TEST_CASE("limits: Performer's distance from softmax falls with the number of features", "[unit]") {
  const auto distance = [](std::int64_t features) {
    double sum = 0;
    constexpr int kSeeds = 8;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      ProbeSetup setup = ProbeSetup::self(kLength, kRows);
      setup.seed = seed;
      const Probe performer("performer", {{"nb_features", features}, {"eps", 1e-6}}, setup);
      const Probe softmax("softmax", json::object(), setup);
      const Tensors inputs = softmax.inputs(0.5);  // large ones need more features than there are
      const Plain actual = performer.real_rows("q", performer.run(inputs, Tensor()).out);
      const Plain expected = softmax.real_rows("q", softmax.run(inputs, Tensor()).out);
      for (std::size_t i = 0; i < actual.data.size(); ++i) {
        sum += std::pow(actual.data[i] - expected.data[i], 2);
      }
    }
    return std::sqrt(sum / (kSeeds * kLength * 2 * 5));
  };
  const double few = distance(16);
  const double some = distance(256);
  const double many = distance(4096);
  INFO("root mean square error at 16, 256, 4096 features: " << few << ", " << some << ", " << many);
  // A factor of 4 each is expected; half of it is demanded.
  CHECK(some < few / 2);
  CHECK(many < some / 2);
  CHECK(many < 0.05);
}

}  // namespace
}  // namespace lra::attention

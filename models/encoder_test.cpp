// Layers around mixers that take the residual stream themselves (Traits::residual).

#include "models/encoder.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/runtime.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::models {
namespace {

using engine::Tensor;
using engine::testing::identical;

constexpr std::int64_t kRows = 12;
constexpr std::int64_t kReal = 9;
constexpr std::int64_t kWidth = 6;

// A layer without feed-forward part around Mega, the same mixer without a layer, and parameters
// that both read.
struct Subject {
  explicit Subject(const std::string& norm, double dropout = 0) {
    config.width = kWidth;
    config.heads = 1;
    config.qkv_width = kWidth;
    config.feed_forward = false;
    config.norm = *enum_of<NormPlace>(norm);
    config.dropout = dropout;
    attention::Dimensions d;
    d.head_dim = d.width = kWidth;
    d.max_length = kReal;  // the bucket has more rows
    d.pre_norm = norm == "pre";
    const auto make = [] { return attention::create("mega", {{"chunk_size", 0}}); };
    layer = std::make_unique<EncoderLayer>(config, parameters, "", make(),
                                           attention::registry().at("mega").traits, d);
    parameters.initialise(1, engine::DType::f32);
    mixer = make();
    mixer->build({alone, "attention."}, d);
    alone.initialise(1, engine::DType::f32);  // from the seed and the names: the same values
  }

  [[nodiscard]] Value run(const Value& x, std::uint64_t example = 0, bool training = true) const {
    Pass pass;
    pass.length = kReal;
    pass.training = training;
    pass.key = RandomKey(1).of(example);
    const engine::ParameterScope scope(parameters, {});
    return (*layer)(x, pass);
  }
  [[nodiscard]] Value mixed(const Value& x) const {
    attention::Context context;
    context.length = kReal;
    const engine::ParameterScope scope(alone, {});
    return attention::mix(*mixer, x, context);
  }

  ModelConfig config;
  engine::Parameters parameters, alone;
  std::unique_ptr<EncoderLayer> layer;
  std::unique_ptr<attention::Attention> mixer;
};

Value input() { return Value(engine::testing::normal({kRows, kWidth}, 1)); }

TEST_CASE("encoder: a mixer on the residual stream is the whole attention block", "[unit]") {
  const engine::WorkerScope worker;
  const Subject s("pre");
  CHECK(identical(s.run(input()).tensor(), s.mixed(input()).tensor()));
  CHECK(s.parameters.find("norm1.weight") == nullptr);  // it would be trained by nothing
  CHECK(s.parameters.find("attention.ln_g") != nullptr);
}

TEST_CASE("encoder: post-norm normalises behind a mixer on the residual stream", "[unit]") {
  const engine::WorkerScope worker;
  const Subject s("post");
  const Value gain(Tensor::full({kWidth}, 1));
  const Value shift(Tensor::zeros({kWidth}));
  const Value expected = engine::layer_norm(s.mixed(input()), gain, shift, 1e-5F);
  CHECK(identical(s.run(input()).tensor(), expected.tensor()));
  CHECK(s.parameters.find("norm1.weight") != nullptr);
  CHECK(s.parameters.find("attention.ln_g") == nullptr);
}

TEST_CASE("encoder: a mixer on the residual stream gets the block's dropout", "[unit]") {
  const engine::WorkerScope worker;
  const Subject s("pre", 0.5);
  const Tensor whole = s.mixed(input()).tensor();
  CHECK(identical(s.run(input(), 0, false).tensor(), whole));
  CHECK_FALSE(identical(s.run(input(), 0).tensor(), whole));
  CHECK_FALSE(identical(s.run(input(), 0).tensor(), s.run(input(), 1).tensor()));
  CHECK(identical(s.run(input(), 1).tensor(), s.run(input(), 1).tensor()));
}

// A layer of one head around an attention, without feed-forward part.
struct Layer {
  Layer(const std::string& name, const std::string& positions, const std::string& gate) {
    ModelConfig config;
    config.width = config.qkv_width = kWidth;
    config.heads = 1;
    config.feed_forward = false;
    config.positions = *enum_of<Positions>(positions);
    config.attention_gate = *enum_of<AttentionGate>(gate);
    attention::Dimensions d;
    d.head_dim = d.width = kWidth;
    d.max_length = kReal;
    pass.length = kReal;
    pass.rotation = make_rotation(config, kReal, kWidth, false);
    layer = std::make_unique<EncoderLayer>(config, parameters, "",
                                           attention::create(name, nlohmann::json::object()),
                                           attention::registry().at(name).traits, d);
    parameters.initialise(1, engine::DType::f32);
  }
  [[nodiscard]] Tensor run(const Value& x) const {
    const engine::ParameterScope scope(parameters, {});
    return (*layer)(x, pass).tensor();
  }
  void fill(const std::string& name, float value) {
    const auto* entry = parameters.find(name);
    std::fill_n(parameters.tensor(*entry).f32(), entry->size, value);
    parameters.refresh();
  }

  engine::Parameters parameters;
  Pass pass;
  std::unique_ptr<EncoderLayer> layer;
};

TEST_CASE("encoder: rotary products of queries and keys depend on the distance alone", "[unit]") {
  const engine::WorkerScope worker;
  const Layer l("softmax", "rotary", "none");
  Tensor equal = input().tensor().clone();  // the same token in each row
  for (std::int64_t i = 1; i < kRows; ++i)
    std::copy_n(equal.f32(), kWidth, equal.f32() + i * kWidth);
  const engine::ParameterScope scope(l.parameters, {});
  const attention::Heads heads = l.layer->heads(Value(equal), l.pass);
  const Value products = engine::matmul(heads.q, heads.k, {.transpose_b = true});
  const auto at = [&](std::int64_t i, std::int64_t j) {
    return products.tensor().f32()[i * kRows + j];
  };
  CHECK(at(5, 3) == testing::Approx(at(2, 0)).epsilon(1e-4));
  CHECK(at(3, 7) == testing::Approx(at(1, 5)).epsilon(1e-4));
  CHECK(at(5, 3) != testing::Approx(at(5, 5)).epsilon(1e-3));
  CHECK(identical(heads.v.tensor().slice(0, 1),
                  Layer("softmax", "none", "none").layer->heads(Value(equal), l.pass).v.tensor()));
}

float largest_difference(const Tensor& a, const Tensor& b) {
  float difference = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    difference = std::max(difference, std::abs(a.f32()[i] - b.f32()[i]));
  }
  return difference;
}

TEST_CASE("encoder: gates of the attention's output open, close and act on each head or feature",
          "[unit]") {
  const engine::WorkerScope worker;
  const Tensor plain = Layer("softmax", "none", "none").run(input());
  for (const std::string gate : {"head", "element"}) {
    Layer l("softmax", "none", gate);
    CHECK(l.parameters.find("attention.gate.weight")->shape[1] == (gate == "head" ? 1 : kWidth));
    CHECK_FALSE(identical(l.run(input()), plain));
    l.fill("attention.gate.weight", 0);
    l.fill("attention.gate.bias", 40);  // sigmoid: 1
    CHECK(largest_difference(l.run(input()), plain) < 1e-6F);
    l.fill("attention.gate.bias", -100);  // 0: only the bias of the output projection is added
    l.fill("attention.out.bias", 0);
    CHECK(largest_difference(l.run(input()), input().tensor()) < 1e-6F);
  }
}

TEST_CASE("encoder: rotary positions and gates are refused where there are no heads", "[unit]") {
  CHECK_THROWS_AS(Layer("fnet", "rotary", "none"), Error);
  CHECK_THROWS_AS(Layer("fnet", "none", "head"), Error);
  CHECK_NOTHROW(Layer("fnet", "none", "none"));
}

}  // namespace
}  // namespace lra::models

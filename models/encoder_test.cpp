// Layers around mixers that take the residual stream themselves (Traits::residual).

#include "models/encoder.h"

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
    config.norm = norm;
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

}  // namespace
}  // namespace lra::models

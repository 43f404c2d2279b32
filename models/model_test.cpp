// Pooling over real tokens only, and what a CLS token is: mistakes of known harnesses.

#include "models/model.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/runtime.h"
#include "engine/testing/testing.h"
#include "models/schedule.h"
#include "models/test_small_model.h"
#include "tests/catch.h"

namespace lra::models {
namespace {

using engine::Tensor;

const std::vector<std::uint16_t> kIds{3, 1, 4, 1, 5, 9, 2, 6, 5};

TEST_CASE("model: known bug: the mean is over real tokens, not over padding", "[unit]") {
  const engine::WorkerScope worker;
  const Value x(engine::testing::normal({16, 8}, 1));  // 9 real rows in a bucket of 16
  const std::vector<float> pooled = pool_rows(Pooling::mean, x, 9, 0).tensor().to_floats();
  for (std::size_t c = 0; c < 8; ++c) {
    double sum = 0;
    for (std::size_t i = 0; i < 9; ++i) sum += double{x.tensor().f32()[i * 8 + c]};
    CHECK(double{pooled[c]} == testing::Approx(sum / 9).margin(1e-6));
  }
  // The same sequence in a model for longer ones: sinusoidal positions, so that weights are equal.
  const std::vector<float> a = logits(*make_model("mean", 9, "sinusoidal"), kIds);
  const std::vector<float> b = logits(*make_model("mean", 500, "sinusoidal"), kIds);
  CHECK(a == b);
  const std::vector<float> padded = logits(*make_model("mean_all", 500, "sinusoidal"), kIds);
  CHECK(padded != a);  // a protocol may ask for it by name
}

TEST_CASE("model: positions in two dimensions encode row and column, and only of a square image",
          "[unit]") {
  constexpr std::int64_t kSide = 5;
  const std::vector<float> image = sinusoidal_positions_2d(kSide, 8).to_floats();
  const std::vector<float> line = sinusoidal_positions(kSide, 4).to_floats();
  for (std::size_t i = 0; i < kSide * kSide; ++i) {
    for (std::size_t c = 0; c < 4; ++c) {
      CHECK(image[i * 8 + c] == line[i / kSide * 4 + c]);
      CHECK(image[i * 8 + 4 + c] == line[i % kSide * 4 + c]);
    }
  }
  const engine::WorkerScope worker;
  CHECK(logits(*make_model("mean", 9, "sinusoidal_2d"), kIds) !=
        logits(*make_model("mean", 9, "sinusoidal"), kIds));
  CHECK(logits(*make_model("cls", 9, "sinusoidal_2d"), kIds).size() == kClasses);
  CHECK_THROWS_AS(make_model("mean", 10, "sinusoidal_2d"), Error);
}

TEST_CASE("model: known bug: CLS pooling reads a token of its own, not the first of the input",
          "[unit]") {
  const engine::WorkerScope worker;
  const auto with_cls = make_model("cls", 16);
  const auto first = make_model("first", 16);
  CHECK(with_cls->parameter_count() > first->parameter_count());  // the token and its position
  Pass pass;
  const engine::ParameterScope scope(with_cls->parameters(), {});
  static_cast<void>(with_cls->encode(kIds, pass));
  CHECK(pass.length == static_cast<std::int64_t>(kIds.size()) + 1);
  // Row 0 of the input to the first layer is the same whatever the sequence begins with.
  const auto row = [&](const Model& model, const std::vector<std::uint16_t>& ids) {
    Pass p;
    const engine::ParameterScope parameters(model.parameters(), {});
    const std::vector<float> all = model.trace(ids, p).front().tensor().to_floats();
    return std::vector<float>(all.begin(), all.begin() + 8);
  };
  std::vector<std::uint16_t> other = kIds;
  other[0] = 7;
  CHECK(row(*with_cls, kIds) == row(*with_cls, other));
  CHECK(row(*first, kIds) != row(*first, other));
}

// A model for pictures whose black pixels are padding, in pixels or in tokens.
std::unique_ptr<Model> make_masked(const std::string& pooling, const std::string& positions,
                                   const std::string& input, bool masked = true) {
  ModelConfig config = small_config(pooling, positions);
  config.input = *enum_of<EncoderInput>(input);
  ModelTask task = small_task(9);
  task.zero_is_padding = masked;
  task.pixel_offset = 0;
  return make_model(config, task);
}

// Rows of the first layer's input.
std::vector<std::vector<float>> input_rows(const Model& model,
                                           const std::vector<std::uint16_t>& ids) {
  Pass pass;
  const engine::ParameterScope parameters(model.parameters(), {});
  const Tensor x = model.trace(ids, pass).front().tensor();
  CHECK(x.dim(0) == model.encoder_rows(ids));
  std::vector<std::vector<float>> rows;
  for (std::int64_t i = 0; i < pass.length; ++i) {
    rows.emplace_back(x.f32() + i * x.dim(1), x.f32() + (i + 1) * x.dim(1));
  }
  return rows;
}

TEST_CASE("model: where id 0 is padding, tokens of id 0 are neither attended to nor pooled",
          "[unit]") {
  const engine::WorkerScope worker;
  const std::vector<std::uint16_t> sparse{0, 3, 0, 0, 1, 4, 0, 2, 0};
  for (const std::string input : {"tokens", "pixels"}) {
    CAPTURE(input);
    for (const std::string pooling : {"mean", "mean_zeroed", "sum", "cls", "first", "last"}) {
      CAPTURE(pooling);
      const auto masked = make_masked(pooling, "none", input);
      CHECK(logits(*masked, sparse) == logits(*masked, {3, 1, 4, 2}));
      CHECK(logits(*masked, sparse) != logits(*make_masked(pooling, "none", input, false), sparse));
      CHECK(masked->real_tokens(sparse) == 4);
      // Nothing but black pixels: the first stays; nothing at all stays nothing.
      CHECK(masked->real_tokens(std::vector<std::uint16_t>{0, 0, 0}) == 1);
      CHECK(masked->real_tokens({}) == 0);
      CHECK(masked->encoder_rows({}) == 0);
      CHECK(logits(*masked, {0, 0, 0}) == logits(*masked, {0}));
    }
    // Pooled over all positions, as in Google's Pathfinder: padding counts, wherever it is.
    const auto all = make_masked("mean_all", "none", input);
    CHECK(logits(*all, sparse) == logits(*all, {3, 1, 4, 2, 0, 0, 0, 0, 0}));
    CHECK(logits(*all, sparse) != logits(*make_masked("mean", "none", input), sparse));
  }
}

TEST_CASE("model: the tokens left between padding keep the position embeddings of their places",
          "[unit]") {
  const engine::WorkerScope worker;
  const std::vector<std::uint16_t> sparse{0, 3, 0, 0, 1, 4, 0, 2, 0};
  for (const std::string input : {"tokens", "pixels"}) {
    for (const std::string positions : {"learned", "sinusoidal", "sinusoidal_2d"}) {
      for (const std::string pooling : {"mean", "cls"}) {
        CAPTURE(input, positions, pooling);
        const auto rows = input_rows(*make_masked(pooling, positions, input), sparse);
        const auto dense = input_rows(*make_masked(pooling, positions, input, false), sparse);
        std::vector<std::vector<float>> expected;
        const std::size_t extra = pooling == "cls" ? 1 : 0;
        if (extra == 1) expected.push_back(dense[0]);
        for (std::size_t i = 0; i < sparse.size(); ++i) {
          if (sparse[i] != 0) expected.push_back(dense[i + extra]);
        }
        CHECK(rows == expected);
      }
    }
  }
}

TEST_CASE("model: a pixel's value is its id less the offset, and a CLS row stands before pixels",
          "[unit]") {
  const engine::WorkerScope worker;
  ModelConfig config = small_config("mean", "learned");
  config.input = EncoderInput::pixels;
  config.pixel_mean = 0.25;
  config.pixel_std = 0.5;
  ModelTask raw = small_task(9);
  raw.pixel_offset = 0;
  const std::vector<std::uint16_t> grey{0, 255, 7, 128};
  const std::vector<std::uint16_t> shifted{1, 256, 8, 129};
  const auto model = make_model(config, small_task(9));
  CHECK(logits(*make_model(config, raw), grey) == logits(*model, shifted));

  config.positions = Positions::none;
  const auto plain = input_rows(*make_model(config, small_task(9)), shifted);
  REQUIRE(plain.size() == 4);
  const auto bare = make_model(config, small_task(9));
  const auto* weight = bare->parameters().find("embedding.pixel.weight");
  const auto* bias = bare->parameters().find("embedding.pixel.bias");
  REQUIRE(weight != nullptr);
  REQUIRE(bias != nullptr);
  for (std::size_t i = 0; i < grey.size(); ++i) {
    const double x = (grey[i] / 255.0 - 0.25) / 0.5;
    for (std::size_t c = 0; c < 8; ++c) {
      CHECK(double{plain[i][c]} ==
            testing::Approx(x * double{bare->parameters().tensor(*weight).f32()[c]} +
                            double{bare->parameters().tensor(*bias).f32()[c]})
                .margin(1e-6));
    }
  }
  config.pooling = Pooling::cls;
  const auto with_cls = input_rows(*make_model(config, small_task(9)), shifted);
  REQUIRE(with_cls.size() == 5);
  CHECK(with_cls[0] != with_cls[1]);
  CHECK(std::vector<std::vector<float>>(with_cls.begin() + 1, with_cls.end()) == plain);
}

ModelTask token_task(std::int64_t classes) {
  ModelTask task = small_task(9);
  task.head = Head::token;
  task.classes = classes;
  return task;
}

TEST_CASE("model: logits at chosen tokens are those rows of all", "[unit]") {
  const engine::WorkerScope worker;
  for (const std::string pooling : {"mean", "cls"}) {  // with a CLS row in front
    INFO(pooling);
    const auto model = make_model(small_config(pooling, "learned"), token_task(kClasses));
    const engine::ParameterScope scope(model->parameters(), {});
    const std::vector<std::int32_t> places{0, 3, 8};
    const auto all = model->logits(kIds, {}, Pass()).tensor().to_floats();
    const auto some = model->logits(kIds, {}, Pass(), places).tensor().to_floats();
    REQUIRE(some.size() == places.size() * kClasses);
    for (std::size_t i = 0; i < some.size(); ++i) {
      const auto row = static_cast<std::size_t>(places[i / kClasses]);
      CHECK_THAT(some[i], Catch::Matchers::WithinAbs(all[row * kClasses + i % kClasses], 1e-6));
    }
    CHECK_THROWS_AS(model->logits(kIds, {}, Pass(), std::vector<std::int32_t>{9}), Error);
    CHECK_THROWS_AS(model->logits(kIds, {}, Pass(), std::vector<std::int32_t>{-1}), Error);
  }
}

TEST_CASE("model: a tied classifier is the token table", "[unit]") {
  const engine::WorkerScope worker;
  ModelConfig config = small_config("mean", "learned");
  config.classifier = Classifier::tied;
  const auto model = make_model(config, token_task(kVocabulary - 2));
  for (const auto& entry : model->parameters().entries()) CHECK(!entry.name.starts_with("head"));
  const engine::ParameterScope scope(model->parameters(), {});
  const auto logits = model->logits(kIds, {}, Pass()).tensor().to_floats();
  Pass pass;
  const auto x = model->encode(kIds, pass).tensor().to_floats();
  const auto& table = model->parameters().entries().front();
  REQUIRE(table.name == "embedding.tokens");
  const float* rows = model->parameters().master().f32() + table.offset;
  for (std::size_t i = 0; i < kIds.size(); ++i) {
    for (std::size_t k = 0; k < kVocabulary - 2; ++k) {
      double product = 0;
      for (std::size_t e = 0; e < 8; ++e) product += double{x[i * 8 + e]} * rows[k * 8 + e];
      CHECK_THAT(logits[i * (kVocabulary - 2) + k], Catch::Matchers::WithinAbs(product, 1e-5));
    }
  }
  CHECK_THROWS_AS(make_model(config, token_task(kVocabulary + 1)), Error);  // a class without a row
  CHECK_THROWS_AS(make_model(config, small_task(9)), Error);
}

TEST_CASE("model: the embedding's dropout is the others' unless it is given", "[unit]") {
  const engine::WorkerScope worker;
  const auto changes = [](double dropout, double embedding_dropout) {
    ModelConfig config = small_config("mean", "learned");
    config.layers = 1;
    config.feed_forward = false;
    config.dropout = dropout;
    config.embedding_dropout = embedding_dropout;
    const auto model = make_model(config, small_task(9));
    const engine::ParameterScope scope(model->parameters(), {});
    Pass pass;
    pass.training = true;
    pass.key = RandomKey(1);
    // The inputs of the layers: the embedding's rows come first.
    const auto with = model->trace(kIds, pass).front().tensor().to_floats();
    pass.training = false;
    return with != model->trace(kIds, pass).front().tensor().to_floats();
  };
  CHECK_FALSE(changes(0, -1));
  CHECK(changes(0.5, -1));
  CHECK(changes(0, 0.5));
  CHECK_FALSE(changes(0.5, 0));
}

TEST_CASE("model: rotary positions are those of the tokens' places, whatever is left out before",
          "[unit]") {
  const engine::WorkerScope worker;
  ModelTask task = small_task(16);
  task.zero_is_padding = true;
  const auto model = make_model(small_config("mean", "rotary"), task);
  const auto largest_difference = [&](const std::vector<std::uint16_t>& a,
                                      const std::vector<std::uint16_t>& b) {
    const std::vector<float> x = logits(*model, a);
    const std::vector<float> y = logits(*model, b);
    float difference = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      difference = std::max(difference, std::abs(x[i] - y[i]));
    }
    return difference;
  };
  // All places shifted alike: the same. A gap in the middle: not.
  CHECK(largest_difference({3, 1, 4, 1, 5}, {0, 0, 3, 1, 4, 1, 5}) < 1e-5F);
  CHECK(largest_difference({3, 1, 4, 1, 5}, {3, 1, 0, 0, 4, 1, 5}) > 1e-5F);
  CHECK_THROWS_AS(make_model(small_config("mean", "rotary_2d"), small_task(15)), Error);
  ModelConfig heads_of_six = small_config("mean", "rotary_2d");
  heads_of_six.qkv_width = 12;  // two heads
  CHECK_THROWS_AS(make_model(heads_of_six, small_task(16)), Error);
}

TEST_CASE("model: max pools the real tokens, max_all the padding too", "[unit]") {
  const Value x(Tensor::from({4, 2}, std::vector<float>{1, -5, 3, -4, 9, -1, 2, -2}));
  CHECK(pool_rows(Pooling::max, x, 2, 0).tensor().to_floats() == std::vector<float>{3, -4});
  CHECK(pool_rows(Pooling::max_all, x, 2, 0).tensor().to_floats() == std::vector<float>{9, -1});
  CHECK(pool_rows(Pooling::max, x, 0, 0).tensor().to_floats() == std::vector<float>{0, 0});
}

TEST_CASE("model: cosine_floor climbs linearly and falls to its floor", "[unit]") {
  TrainConfig config;
  config.schedule = Schedule::cosine_floor;
  config.lr = 1;
  config.lr_floor = 0.2;
  config.warmup_steps = 10;
  config.steps = 110;
  CHECK(learning_rate(config, 0) == 0.0);
  CHECK(learning_rate(config, 5) == testing::Approx(0.5));
  CHECK(learning_rate(config, 10) == testing::Approx(1.0));
  CHECK(learning_rate(config, 60) == testing::Approx(0.6));
  CHECK(learning_rate(config, 110) == testing::Approx(0.2));
  CHECK(learning_rate(config, 500) == testing::Approx(0.2));
}

}  // namespace
}  // namespace lra::models

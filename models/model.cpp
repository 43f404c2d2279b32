#include "models/model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

namespace lra::models {

using engine::DType;
using engine::Shape;
using engine::Tensor;

std::int64_t bucket_length(std::int64_t length) {
  const auto octave = static_cast<std::int64_t>(
      std::bit_floor(static_cast<std::uint64_t>(std::max<std::int64_t>(length - 1, 1))));
  const std::int64_t step = std::max<std::int64_t>(16, octave / 16);
  return (length + step - 1) / step * step;
}

Tensor sinusoidal_positions(std::int64_t length, std::int64_t width) {
  Tensor table({length, width}, DType::f32);
  for (std::int64_t i = 0; i < length; ++i) {
    for (std::int64_t c = 0; c < width; ++c) {
      const std::int64_t even = c - c % 2;
      const double rate =
          std::pow(10000.0, -static_cast<double>(even) / static_cast<double>(width));
      const double angle = static_cast<double>(i) * rate;
      table.f32()[i * width + c] =
          static_cast<float>(c % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
  return table;
}

Tensor sinusoidal_positions_2d(std::int64_t side, std::int64_t width) {
  const std::int64_t half = width / 2;
  const Tensor row = sinusoidal_positions(side, half);
  const Tensor column = sinusoidal_positions(side, width - half);
  Tensor table({side * side, width}, DType::f32);
  for (std::int64_t i = 0; i < side * side; ++i) {
    float* at = table.f32() + i * width;
    at = std::copy_n(row.f32() + i / side * half, half, at);
    std::copy_n(column.f32() + i % side * (width - half), width - half, at);
  }
  return table;
}

namespace {

// The table of an image of `pixels` pixels, with a row of zeros in front for a CLS token.
Tensor image_positions(std::int64_t pixels, std::int64_t width, bool cls) {
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(pixels))));
  if (side * side != pixels || width < 2) {
    fail(ErrorKind::config,
         "model: positions sinusoidal_2d need a square image and a width of at least 2, not {} "
         "tokens of width {}",
         pixels, width);
  }
  Tensor image = sinusoidal_positions_2d(side, width);
  if (!cls) return image;
  Tensor table = Tensor::zeros({pixels + 1, width});
  std::copy_n(image.f32(), pixels * width, table.f32() + width);
  return table;
}

// Pooling over all max_length positions, as LRA's code does: all of them are computed.
bool pools_over_padding(const ModelConfig& config) {
  return config.pooling == Pooling::mean_all || config.pooling == Pooling::max_all;
}

}  // namespace

std::int64_t real_tokens(const ModelTask& task, std::span<const std::uint16_t> ids) {
  if (!task.zero_is_padding) return static_cast<std::int64_t>(ids.size());
  const std::int64_t kept =
      static_cast<std::int64_t>(ids.size()) - std::count(ids.begin(), ids.end(), std::uint16_t{0});
  return kept == 0 && !ids.empty() ? 1 : kept;
}

std::int64_t encoder_rows(const ModelConfig& config, const ModelTask& task,
                          std::span<const std::uint16_t> ids) {
  if (ids.empty()) return 0;
  if (pools_over_padding(config)) return task.max_length;
  return bucket_length(real_tokens(task, ids) + (config.pooling == Pooling::cls ? 1 : 0));
}

Model::Model(const ModelConfig& config, const ModelTask& task, const std::string& attention,
             const nlohmann::json& attention_options)
    : config_(config), task_(task) {
  config.check();
  const bool cls = config.pooling == Pooling::cls;
  const std::int64_t E = config.width;
  const std::int64_t longest = task.max_length + (cls ? 1 : 0);
  if (config.input == EncoderInput::pixels) {
    pixel_ = add_affine(parameters_, "embedding.pixel", 1, E, true, config);
  } else {
    const std::int64_t rows = std::max(config.vocabulary, task.vocabulary);
    table_ = parameters_.add("embedding.tokens", Shape{rows, E},
                             engine::init::normal(0, static_cast<float>(config.embedding_std)));
  }
  if (config.positions == Positions::learned) {
    positions_ =
        parameters_.add("embedding.positions", Shape{longest, E}, engine::init::normal(0, 0.02F));
  } else if (config.positions == Positions::sinusoidal) {
    sinusoids_ = sinusoidal_positions(longest, E);
  } else if (config.positions == Positions::sinusoidal_2d) {
    sinusoids_ = image_positions(task.max_length, E, cls);
  }
  rotation_ = make_rotation(config, longest, config.qkv_width / config.heads, cls);
  if (cls) cls_ = parameters_.add("embedding.cls", Shape{1, E}, engine::init::constant(0));
  const auto& entry = attention::registry().at(attention);
  for (std::int64_t i = 0; i < config.layers; ++i) {
    attention::Dimensions d{
        config.heads, config.qkv_width / config.heads, E, longest, i, config.layers,
        cls,          config.norm == NormPlace::pre};
    layers_.push_back(std::make_unique<EncoderLayer>(
        config, parameters_, fmt::format("layers.{}.", i),
        attention::create(attention, attention_options), entry.traits, d));
  }
  if (config.final_norm && config.norm == NormPlace::pre) {
    final_norm_ = add_norm(parameters_, "final_norm", E, config.norm_eps);
  }
  build_head();
}

void Model::build_head() {
  std::int64_t in = config_.width;
  if (config_.classifier == Classifier::tied) {
    if (task_.head != Head::token || !table_.defined() ||
        task_.classes > std::max(config_.vocabulary, task_.vocabulary)) {
      fail(
          ErrorKind::config,
          "model: classifier=tied needs a label per token that is a token's id, and a token table");
    }
    return;
  }
  if (task_.head == Head::token) {
    head_.push_back(add_affine(parameters_, "head.out", in, task_.classes, true, config_));
    return;
  }
  if (task_.head == Head::pair_class) in *= config_.pair_features == PairFeatures::nli ? 4 : 2;
  std::int64_t hidden = config_.ff_width;
  for (std::int64_t i = 0; i < config_.head_layers; ++i) {
    head_.push_back(
        add_affine(parameters_, fmt::format("head.hidden{}", i), in, hidden, true, config_));
    in = hidden;
    hidden = std::max<std::int64_t>(1, hidden / 2);
  }
  head_.push_back(add_affine(parameters_, "head.out", in, task_.classes, true, config_));
}

void Model::initialise(std::uint64_t seed, DType compute) { parameters_.initialise(seed, compute); }

Value Model::positions() const {
  if (positions_.defined()) return positions_.value_f32();
  return sinusoids_.defined() ? Value(sinusoids_) : Value();
}

std::int64_t Model::real_tokens(std::span<const std::uint16_t> ids) const {
  return models::real_tokens(task_, ids);
}

std::int64_t Model::encoder_rows(std::span<const std::uint16_t> ids) const {
  return models::encoder_rows(config_, task_, ids);
}

// Ids that are padding inside the sequence are left out: no token attends to them and no mean
// counts them. The remaining tokens keep the position embeddings of their places; a variant that
// counts positions itself (windows, convolutions, cosFormer's cosine) counts the remaining tokens.
// mean_all, which pools over padding, has it behind the real tokens. A sequence of padding keeps
// its first token.
Model::Rows Model::arrange(std::span<const std::uint16_t> ids) const {
  Rows rows;
  const std::int64_t real = real_tokens(ids);
  rows.length = real;
  rows.computed = encoder_rows(ids);
  rows.in_order = real == static_cast<std::int64_t>(ids.size());
  rows.places.resize(ids.size());
  std::iota(rows.places.begin(), rows.places.end(), 0);
  if (!rows.in_order) {
    std::stable_partition(rows.places.begin(), rows.places.end(),
                          [ids](std::int32_t i) { return ids[static_cast<std::size_t>(i)] != 0; });
  }
  if (pools_over_padding(config_)) {
    const std::size_t given = rows.places.size();
    rows.places.resize(static_cast<std::size_t>(rows.computed));
    std::iota(rows.places.begin() + static_cast<std::ptrdiff_t>(given), rows.places.end(),
              static_cast<std::int32_t>(given));
  } else {
    rows.places.resize(static_cast<std::size_t>(real));
  }
  rows.ids.reserve(rows.places.size() + 1);
  for (const std::int32_t i : rows.places) {
    const auto at = static_cast<std::size_t>(i);
    rows.ids.push_back(at < ids.size() ? ids[at] : 0);
  }
  if (cls_.defined()) {
    for (std::int32_t& place : rows.places) ++place;
    rows.places.insert(rows.places.begin(), 0);
    ++rows.length;
  }
  return rows;
}

// Position embeddings of rows in any order: [rows, E] f32, undefined without positions.
Value Model::position_rows(const Rows& rows) const {
  Value position = positions();
  if (!position.defined()) return position;
  return engine::embedding(position, Value(), rows.places, rows.computed, DType::f32);
}

// The rotation of rows in any order.
std::shared_ptr<const engine::Rotation> Model::rotation_of(const Rows& rows) const {
  if (!rotation_ || rows.in_order) return rotation_;
  const Tensor index({static_cast<std::int64_t>(rows.places.size())}, DType::i32);
  std::copy(rows.places.begin(), rows.places.end(), index.i32());
  engine::Rotation turned = *rotation_;
  turned.sin = engine::gather_rows(Value(rotation_->sin), index).tensor();
  turned.cos = engine::gather_rows(Value(rotation_->cos), index).tensor();
  return std::make_shared<const engine::Rotation>(std::move(turned));
}

// (pixel/255 - mean) / std projected to the width.
Value Model::embed_pixels(const Rows& rows) const {
  const std::int64_t extra = cls_.defined() ? 1 : 0;
  Tensor pixels = Tensor::zeros({rows.computed - extra, 1});
  for (std::size_t i = 0; i < rows.ids.size(); ++i) {
    const double grey = std::max(0.0, static_cast<double>(rows.ids[i] - task_.pixel_offset) / 255);
    pixels.f32()[i] = static_cast<float>((grey - config_.pixel_mean) / config_.pixel_std);
  }
  Value x = engine::linear(Value(pixels), pixel_.weight.value_f32(), pixel_.bias.value());
  if (extra > 0) x = engine::concat({cls_.value_f32(), x}, 0);
  const Value position = position_rows(rows);
  return cast(position.defined() ? x + position : x, parameters_.compute_type());
}

Value Model::embed_tokens(Rows rows) const {
  const DType type = parameters_.compute_type();
  Value table = table_.value_f32();
  if (cls_.defined()) {
    // The CLS vector is an additional last row of the table, so that one look-up suffices.
    table = engine::concat({table, cls_.value_f32()}, 0);
    rows.ids.insert(rows.ids.begin(), static_cast<std::int32_t>(table.dim(0) - 1));
  }
  if (rows.in_order) {
    return engine::embedding(table, positions(), rows.ids, rows.computed, type);
  }
  const Value x = engine::embedding(table, Value(), rows.ids, rows.computed, DType::f32);
  const Value position = position_rows(rows);
  return cast(position.defined() ? x + position : x, type);
}

Value Model::embed(std::span<const std::uint16_t> ids, Pass& pass) const {
  if (ids.empty() || static_cast<std::int64_t>(ids.size()) > task_.max_length) {
    fail(ErrorKind::shape, "model: a sequence of {} ids, expected 1..{}", ids.size(),
         task_.max_length);
  }
  Rows rows = arrange(ids);
  pass.length = rows.length;
  pass.rotation = rotation_of(rows);
  Value x =
      config_.input == EncoderInput::pixels ? embed_pixels(rows) : embed_tokens(std::move(rows));
  const double rate = config_.embedding_dropout < 0 ? config_.dropout : config_.embedding_dropout;
  if (!pass.training || rate == 0) return x;
  return engine::dropout(x, rate, pass.key.of("embedding"));
}

std::vector<Value> Model::trace(std::span<const std::uint16_t> ids, Pass& pass) const {
  std::map<std::string, Value> carried;
  pass.carried = &carried;
  std::vector<Value> values{embed(ids, pass)};
  for (const auto& layer : layers_) values.push_back((*layer)(values.back(), pass));
  pass.carried = nullptr;
  return values;
}

Value Model::encode(std::span<const std::uint16_t> ids, Pass& pass) const {
  std::map<std::string, Value> carried;
  pass.carried = &carried;
  Value x = embed(ids, pass);
  for (const auto& layer : layers_) x = (*layer)(x, pass);
  pass.carried = nullptr;
  return final_norm_.gamma.defined() ? final_norm_(x) : x;
}

Value pool_rows(Pooling kind, const Value& x, std::int64_t length, std::int64_t divisor) {
  const std::int64_t N = x.dim(0);
  if (kind == Pooling::cls || kind == Pooling::first) {
    return cast(engine::slice(x, 0, 0, 1), DType::f32);
  }
  if (kind == Pooling::max || kind == Pooling::max_all) {
    const std::int64_t counted = kind == Pooling::max_all ? N : length;
    if (counted == 0) return Value(Tensor::zeros({1, x.dim(1)}));
    return cast(engine::max(engine::slice(x, 0, 0, counted), 0), DType::f32);
  }
  if (kind == Pooling::last) return cast(engine::slice(x, 0, length - 1, 1), DType::f32);
  const std::int64_t counted = kind == Pooling::mean_all ? N : length;
  Tensor weights = Tensor::zeros({1, N}, x.dtype());
  std::copy_n(Tensor::full({counted}, 1.0F, x.dtype()).raw(),
              static_cast<std::size_t>(counted) * engine::size_of(x.dtype()), weights.raw());
  Value total = engine::matmul(Value(weights), x, {.f32_result = true});  // [1, E]
  if (kind == Pooling::sum) return total;
  const std::int64_t n = kind == Pooling::mean_zeroed ? divisor : counted;
  return n == 0 ? total : total / static_cast<float>(n);
}

Value pair_features(PairFeatures kind, const Value& a, const Value& b) {
  if (kind == PairFeatures::concat) return engine::concat({a, b}, 1);
  return engine::concat({a, b, a * b, a - b}, 1);
}

Value Model::pool(const Value& x, const Pass& pass) const {
  const std::int64_t divisor = config_.padded_length > 0 ? config_.padded_length : task_.max_length;
  return pool_rows(config_.pooling, x, pass.length, divisor);
}

Value Model::classify(Value features) const {
  if (head_.empty()) {  // tied: [n, E] [V, E]^T, of which the first rows are the classes
    const Value rows = engine::slice(table_.value_f32(), 0, 0, task_.classes);
    return engine::matmul(features, rows, {.transpose_b = true});
  }
  for (std::size_t i = 0; i + 1 < head_.size(); ++i) {
    features = engine::linear(features, head_[i].weight.value_f32(), head_[i].bias.value(),
                              {.relu = true});
  }
  return engine::linear(features, head_.back().weight.value_f32(), head_.back().bias.value());
}

Value Model::logits(std::span<const std::uint16_t> ids, std::span<const std::uint16_t> second,
                    const Pass& pass, std::span<const std::int32_t> places) const {
  Pass first_pass = pass;
  const Value x = encode(ids, first_pass);
  if (task_.head == Head::token) {
    const auto n = static_cast<std::int64_t>(ids.size());
    const Value tokens = engine::slice(x, 0, first_pass.length - n, n);  // without CLS and padding
    if (places.empty()) return classify(cast(tokens, DType::f32));
    for (const std::int32_t place : places) {
      if (place >= 0 && place < n) continue;
      fail(ErrorKind::shape, "model: logits of token {} among {}", place, n);
    }
    const Tensor index({static_cast<std::int64_t>(places.size())}, DType::i32);
    std::copy(places.begin(), places.end(), index.i32());
    return classify(cast(engine::gather_rows(tokens, index), DType::f32));
  }
  const Value a = pool(x, first_pass);
  if (task_.head == Head::pooled_class) return classify(a);
  Pass second_pass = pass;
  second_pass.key = pass.key.of("second");
  const Value b = pool(encode(second, second_pass), second_pass);
  return classify(pair_features(config_.pair_features, a, b));
}

}  // namespace lra::models

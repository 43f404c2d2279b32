#include "models/encoder.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

namespace lra::models {
namespace {

using engine::Shape;

// LRA's Dense: Xavier weights, biases N(0, 1e-6). PyTorch's Linear: both U(+-1/sqrt(fan_in)).
// GPT-2 (Radford et al. 2019) and Zoology: weights N(0, 0.02), those of maps into the residual
// stream over the root of how many there are, so that it begins as the embeddings; biases 0.
engine::Initialiser weight_init(const ModelConfig& config, std::int64_t in, std::int64_t out,
                                Into into) {
  if (config.init == Init::lra) return engine::init::xavier_uniform(in, out);
  if (config.init == Init::torch) return engine::init::torch_linear(in);
  constexpr float kStd = 0.02F;
  const auto maps = static_cast<float>(config.layers * (config.feed_forward ? 2 : 1));
  return engine::init::normal(0, into == Into::residual ? kStd / std::sqrt(maps) : kStd);
}
engine::Initialiser bias_init(const ModelConfig& config, std::int64_t in) {
  if (config.init == Init::lra) return engine::init::normal(0, 1e-6F);
  if (config.init == Init::torch) return engine::init::torch_linear(in);
  return engine::init::constant(0);
}

}  // namespace

Value Norm::operator()(const Value& x) const {
  return engine::layer_norm(x, gamma.value(), beta.value(), eps);
}

Affine add_affine(engine::Parameters& parameters, const std::string& name, std::int64_t in,
                  std::int64_t out, bool bias, const ModelConfig& config, Into into,
                  std::int64_t fan_out) {
  Affine map;
  map.weight = parameters.add(name + ".weight", Shape{in, out},
                              weight_init(config, in, fan_out > 0 ? fan_out : out, into));
  if (bias) map.bias = parameters.add(name + ".bias", Shape{out}, bias_init(config, in));
  return map;
}

Norm add_norm(engine::Parameters& parameters, const std::string& name, std::int64_t width,
              double eps) {
  Norm norm;
  norm.gamma = parameters.add(name + ".weight", Shape{width}, engine::init::constant(1));
  norm.beta = parameters.add(name + ".bias", Shape{width}, engine::init::constant(0));
  norm.eps = static_cast<float>(eps);
  return norm;
}

Value gate_heads(const Value& o, const Value& x, const Value& weight, const Value& bias) {
  const Value gate = engine::linear(x, weight, bias);  // [N,H] or [N,H Dv]
  return o * engine::sigmoid(engine::split_heads(gate, 1, o.dim(0)).front());
}

std::shared_ptr<const engine::Rotation> make_rotation(const ModelConfig& config,
                                                      std::int64_t length, std::int64_t D,
                                                      bool cls) {
  if (config.positions == Positions::rotary) {
    return std::make_shared<const engine::Rotation>(
        engine::rotation(length, D, config.rotary_base, config.rotary_pairs));
  }
  if (config.positions != Positions::rotary_2d) return nullptr;
  const std::int64_t pixels = length - (cls ? 1 : 0);
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(pixels))));
  if (side * side != pixels || D % 4 != 0) {
    fail(ErrorKind::config,
         "model: positions rotary_2d need a square image and heads of width 4 m; got {} tokens, "
         "width {}",
         pixels, D);
  }
  engine::Rotation image = engine::rotation_2d(side, D, config.rotary_base, config.rotary_pairs);
  if (cls) {
    const auto behind = [](const engine::Tensor& table, float first) {
      engine::Tensor longer = engine::Tensor::full({table.dim(0) + 1, table.dim(1)}, first);
      std::copy_n(table.f32(), table.numel(), longer.f32() + table.dim(1));
      return longer;
    };
    image.sin = behind(image.sin, 0);
    image.cos = behind(image.cos, 1);
  }
  return std::make_shared<const engine::Rotation>(std::move(image));
}

EncoderLayer::EncoderLayer(const ModelConfig& config, engine::Parameters& parameters,
                           const std::string& prefix,
                           std::unique_ptr<attention::Attention> attention,
                           const attention::Traits& traits, const attention::Dimensions& dimensions)
    : config_(config),
      layer_(dimensions.layer),
      attention_(std::move(attention)),
      input_(traits.input),
      residual_(traits.residual) {
  const std::int64_t E = config.width;
  if (!residual_ || config.norm == NormPlace::post) {
    norm1_ = add_norm(parameters, prefix + "norm1", E, config.norm_eps);
  }
  if (input_ != attention::Input::block) {
    // The projections are one product; each keeps the initial values of a separate map.
    const std::int64_t parts = input_ == attention::Input::heads ? 3 : 2;
    qkv_ = add_affine(parameters, prefix + (parts == 3 ? "attention.qkv" : "attention.qk_v"), E,
                      parts * config.qkv_width, config.attention_bias, config, Into::layer,
                      config.qkv_width);
    out_ = add_affine(parameters, prefix + "attention.out", config.qkv_width, E,
                      config.attention_bias, config, Into::residual);
  }
  if (input_ == attention::Input::block &&
      (config.attention_gate != AttentionGate::none || config.positions == Positions::rotary ||
       config.positions == Positions::rotary_2d)) {
    fail(ErrorKind::config,
         "model: rotary positions and attention_gate need an attention over heads; got one that "
         "takes the block's input; set positions=learned, attention_gate=none");
  }
  if (config.attention_gate != AttentionGate::none) {
    const bool head = config.attention_gate == AttentionGate::head;
    gate_ = add_affine(parameters, prefix + "attention.gate", E,
                       head ? config.heads : config.qkv_width, config.attention_bias, config);
  }
  attention_->build(attention::ParameterBuilder(parameters, prefix + "attention."), dimensions);
  if (config.feed_forward) {
    norm2_ = add_norm(parameters, prefix + "norm2", E, config.norm_eps);
    ff1_ = add_affine(parameters, prefix + "ff1", E, config.ff_width, true, config);
    ff2_ = add_affine(parameters, prefix + "ff2", config.ff_width, E, true, config, Into::residual);
  }
}

attention::Context EncoderLayer::context(const Pass& pass) const {
  attention::Context c;
  const auto layer = static_cast<std::uint64_t>(layer_);
  c.length = pass.length;
  c.training = pass.training;
  c.dropout = pass.training ? config_.attention_dropout : 0.0;
  c.residual_dropout = pass.training ? config_.dropout : 0.0;
  c.call = pass.key.of("attention").of(layer);
  c.fixed = pass.fixed.of("attention").of(layer);
  c.step = pass.step;
  c.draws = pass.draws;
  c.carried = pass.carried;
  return c;
}

Value EncoderLayer::drop(const Value& x, const Pass& pass, const char* place) const {
  if (!pass.training || config_.dropout == 0) return x;
  return engine::dropout(x, config_.dropout,
                         pass.key.of(place).of(static_cast<std::uint64_t>(layer_)));
}

Value EncoderLayer::add_projection(const Value& h, const Affine& map, const Value& residual,
                                   const Pass& pass, const char* place) const {
  const Value bias = map.bias.defined() ? map.bias.value() : Value();
  if (!pass.training || config_.dropout == 0) {
    return engine::linear(h, map.weight.value(), bias, {.residual = &residual});
  }
  return residual + drop(engine::linear(h, map.weight.value(), bias), pass, place);
}

attention::Heads EncoderLayer::project(const Value& h, const Pass& pass) const {
  const Value bias = qkv_.bias.defined() ? qkv_.bias.value() : Value();
  const Value y = engine::linear(h, qkv_.weight.value(), bias);  // [N, P H D]
  const std::int64_t parts = input_ == attention::Input::heads ? 3 : 2;
  const auto projections = engine::split_heads(y, parts, config_.heads);
  const Value q =
      pass.rotation ? engine::rotate(projections.front(), *pass.rotation) : projections.front();
  Value k = q;
  if (parts == 3)
    k = pass.rotation ? engine::rotate(projections[1], *pass.rotation) : projections[1];
  return {q, k, projections.back(), pass.length, pass.length, h, {}};
}

attention::Heads EncoderLayer::heads(const Value& x, const Pass& pass) const {
  return project(config_.norm == NormPlace::pre ? norm1_(x) : x, pass);
}

Value EncoderLayer::mixed(const Value& h, const Value& residual, const Pass& pass) const {
  const attention::Context c = context(pass);
  if (residual_) return attention::mix(*attention_, residual, c);
  if (input_ == attention::Input::block) {
    return residual + drop(attention::mix(*attention_, h, c), pass, "attention out");
  }
  Value o = attention::attend(*attention_, project(h, pass), c);
  if (gate_.weight.defined()) {
    o = gate_heads(o, h, gate_.weight.value(), gate_.bias.defined() ? gate_.bias.value() : Value());
  }
  return add_projection(engine::merge_heads(o), out_, residual, pass, "attention out");
}

Value EncoderLayer::feed_forward(const Value& h, const Value& residual, const Pass& pass) const {
  const Value w1 = ff1_.weight.value();
  const Value b1 = ff1_.bias.value();
  Value g;
  if (config_.activation == Activation::relu) {
    g = engine::linear(h, w1, b1, {.relu = true});
  } else if (config_.activation == Activation::gelu_tanh) {
    g = engine::gelu_tanh(engine::linear(h, w1, b1));
  } else {
    g = engine::gelu_erf(engine::linear(h, w1, b1));
  }
  return add_projection(drop(g, pass, "ff inner"), ff2_, residual, pass, "ff out");
}

Value EncoderLayer::operator()(const Value& x, const Pass& pass) const {
  if (config_.norm == NormPlace::post) {
    const Value y = norm1_(mixed(x, x, pass));
    return config_.feed_forward ? norm2_(feed_forward(y, y, pass)) : y;
  }
  const Value y = mixed(residual_ ? x : norm1_(x), x, pass);
  return config_.feed_forward ? feed_forward(norm2_(y), y, pass) : y;
}

}  // namespace lra::models

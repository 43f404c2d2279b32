#pragma once
// The shared Transformer encoder: everything but the attention is the same for all variants.

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "attention/attention.h"
#include "engine/fused/features/rotary.h"
#include "models/config.h"

namespace lra::models {

using engine::Parameter;
using engine::Value;

// Context of one sequence in one pass.
struct Pass {
  std::int64_t length = 0;  // real rows, CLS included
  bool training = false;
  RandomKey key;    // of this pass: seed, step and example
  RandomKey fixed;  // of the model: seed
  std::int64_t step = 0;
  std::map<std::string, engine::Tensor>* draws = nullptr;
  std::map<std::string, Value>* carried = nullptr;  // what layers leave for the next one
  // Rotation of the rows of q and k; null without rotary positions.
  std::shared_ptr<const engine::Rotation> rotation;
};

// Gain and shift of a layer norm.
struct Norm {
  Parameter gamma, beta;
  float eps = 1e-5F;
  [[nodiscard]] Value operator()(const Value& x) const;
};

// An affine map; bias may be undefined.
struct Affine {
  Parameter weight, bias;  // [in, out], [out]
};

// One layer: attention and feed-forward blocks with residual connections.
//   pre:  x + Attn(LN(x)), then + MLP(LN(.))     post: LN(x + Attn(x)), then LN(. + MLP(.))
// A mixer with Traits::residual replaces the whole of x + Attn(LN(x)), or of x + Attn(x).
class EncoderLayer {
 public:
  EncoderLayer(const ModelConfig& config, engine::Parameters& parameters, const std::string& prefix,
               std::unique_ptr<attention::Attention> attention, const attention::Traits& traits,
               const attention::Dimensions& dimensions);

  // x [N, E] -> [N, E]; rows from pass.length on are padding.
  [[nodiscard]] Value operator()(const Value& x, const Pass& pass) const;
  [[nodiscard]] const attention::Attention& attention() const { return *attention_; }
  [[nodiscard]] attention::Input input() const { return input_; }
  // The heads and the context of this layer's attention for the layer's input x; not for
  // Input::block.
  [[nodiscard]] attention::Heads heads(const Value& x, const Pass& pass) const;
  [[nodiscard]] attention::Context context(const Pass& pass) const;

 private:
  [[nodiscard]] Value mixed(const Value& h, const Value& residual, const Pass& pass) const;
  [[nodiscard]] Value feed_forward(const Value& h, const Value& residual, const Pass& pass) const;
  [[nodiscard]] attention::Heads project(const Value& h, const Pass& pass) const;
  [[nodiscard]] Value drop(const Value& x, const Pass& pass, const char* place) const;
  // residual + dropout(h w + bias), in one product where nothing is dropped.
  [[nodiscard]] Value add_projection(const Value& h, const Affine& map, const Value& residual,
                                     const Pass& pass, const char* place) const;

  ModelConfig config_;
  std::int64_t layer_;
  std::unique_ptr<attention::Attention> attention_;
  attention::Input input_;
  bool residual_;  // the mixer takes and returns the residual stream
  Norm norm1_, norm2_;
  Affine qkv_, out_, gate_, ff1_, ff2_;
};

// Gated attention (Qiu et al. 2025, arXiv 2505.06708): sigmoid(x W + b) o for an attention's output
// o [H, N, Dv] before the output projection and the block's input x [N, E]; W [E, H], a gate for
// each head, or [E, H Dv], one for each feature.
[[nodiscard]] Value gate_heads(const Value& o, const Value& x, const Value& weight,
                               const Value& bias);

// The rotation of `length` positions, CLS included, of heads of width D; null unless the
// configuration has rotary positions. With rotary_2d the pixels of a square image are turned and a
// CLS token in front of them is not (ours). Throws Error(config).
[[nodiscard]] std::shared_ptr<const engine::Rotation> make_rotation(const ModelConfig& config,
                                                                    std::int64_t length,
                                                                    std::int64_t D, bool cls);

// Destination of a map's result.
enum class Into { layer, residual };

// Adds an affine map with the configuration's initial values; `fan_out` if it is one of several
// maps in one product.
[[nodiscard]] Affine add_affine(engine::Parameters& parameters, const std::string& name,
                                std::int64_t in, std::int64_t out, bool bias,
                                const ModelConfig& config, Into into = Into::layer,
                                std::int64_t fan_out = 0);
[[nodiscard]] Norm add_norm(engine::Parameters& parameters, const std::string& name,
                            std::int64_t width, double eps);

}  // namespace lra::models

#pragma once
// Embedding, encoder, pooling and head: from token ids to logits.

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "engine/base/head.h"
#include "models/encoder.h"

namespace lra::models {

// Requirements of the task on the model.
struct ModelTask {
  Head head = Head::pooled_class;
  std::int64_t classes = 2;      // or the vocabulary for a token head
  std::int64_t vocabulary = 2;   // ids are 0..vocabulary-1
  std::int64_t max_length = 1;   // of one sequence, without CLS
  bool zero_is_padding = false;  // id 0 inside a sequence is left out of it (black pixels, a quirk)
  std::int64_t pixel_offset = 1;  // a pixel's id less its value, where the input is pixels
};

// Lengths are rounded up to a bucket: 64 steps per octave from 512 on, multiples of 16 below, so
// that few distinct shapes are compiled and at most 3 % of the rows (15 below 512) are padding.
[[nodiscard]] std::int64_t bucket_length(std::int64_t length);

// Ids of a sequence that are real tokens: all, or those that are not 0 where 0 is padding.
[[nodiscard]] std::int64_t real_tokens(const ModelTask& task, std::span<const std::uint16_t> ids);
// Number of encoder rows for these ids, including a CLS token and padding; 0 without ids.
[[nodiscard]] std::int64_t encoder_rows(const ModelConfig& config, const ModelTask& task,
                                        std::span<const std::uint16_t> ids);

class Model {
 public:
  Model(const ModelConfig& config, const ModelTask& task, const std::string& attention,
        const nlohmann::json& attention_options);

  // Allocates and fills the parameters; computes in `compute`.
  void initialise(std::uint64_t seed, engine::DType compute);

  [[nodiscard]] std::int64_t real_tokens(std::span<const std::uint16_t> ids) const;
  [[nodiscard]] std::int64_t encoder_rows(std::span<const std::uint16_t> ids) const;

  // ids [n] (and `second` for pair tasks) -> logits f32 [1, classes], or [n, classes] for a token
  // head, of which `places`, if there are any, choose rows: [places, classes]. Needs a
  // ParameterScope; pass.length is set here. Throws Error(shape) for an empty input, an id outside
  // the vocabulary, more ids than max_length or a place that is not one of a token.
  [[nodiscard]] Value logits(std::span<const std::uint16_t> ids,
                             std::span<const std::uint16_t> second, const Pass& pass,
                             std::span<const std::int32_t> places = {}) const;

  // The encoder's output rows [N, E] after the final norm, of which pass.length are real.
  [[nodiscard]] Value encode(std::span<const std::uint16_t> ids, Pass& pass) const;
  // The first half of logits() after encode(): x [N, E], pass.length real -> [1, E] f32.
  [[nodiscard]] Value pool(const Value& x, const Pass& pass) const;
  // The second half: pooled features (of one sequence or a pair) or token rows -> logits.
  [[nodiscard]] Value classify(Value features) const;
  // The inputs of each layer, for diagnostics: layers + 1 values [N, E] before the final norm.
  [[nodiscard]] std::vector<Value> trace(std::span<const std::uint16_t> ids, Pass& pass) const;

  [[nodiscard]] engine::Parameters& parameters() { return parameters_; }
  [[nodiscard]] const engine::Parameters& parameters() const { return parameters_; }
  [[nodiscard]] const std::vector<std::unique_ptr<EncoderLayer>>& layers() const { return layers_; }
  [[nodiscard]] const ModelConfig& config() const { return config_; }
  [[nodiscard]] const ModelTask& task() const { return task_; }
  // Number of trained parameters.
  [[nodiscard]] std::int64_t parameter_count() const { return parameters_.count(); }

 private:
  // Contents of the encoder's rows: ids and their positions in the sequence.
  struct Rows {
    std::vector<std::int32_t> ids, places;
    std::int64_t length = 0;    // real ones, CLS included
    std::int64_t computed = 0;  // these and padding
    bool in_order = true;       // places are 0, 1, 2, ...
  };
  [[nodiscard]] Rows arrange(std::span<const std::uint16_t> ids) const;
  [[nodiscard]] Value embed(std::span<const std::uint16_t> ids, Pass& pass) const;
  [[nodiscard]] Value embed_tokens(Rows rows) const;
  [[nodiscard]] Value embed_pixels(const Rows& rows) const;
  [[nodiscard]] Value position_rows(const Rows& rows) const;
  [[nodiscard]] Value positions() const;
  [[nodiscard]] std::shared_ptr<const engine::Rotation> rotation_of(const Rows& rows) const;
  void build_head();

  ModelConfig config_;
  ModelTask task_;
  engine::Parameters parameters_;
  Parameter table_, positions_, cls_;
  Affine pixel_;
  engine::Tensor sinusoids_;
  std::shared_ptr<const engine::Rotation> rotation_;  // of all positions; null: not rotary
  std::vector<std::unique_ptr<EncoderLayer>> layers_;
  Norm final_norm_;
  std::vector<Affine> head_;
};

// Sinusoids: sin on even and cos on odd features, base 10,000. [length, width] f32.
[[nodiscard]] engine::Tensor sinusoidal_positions(std::int64_t length, std::int64_t width);
// Sinusoids of the pixels of a square image in row-major order: the first half of the features
// encodes the row, the rest the column (two dimensions as in He et al., arXiv 2111.06377). [side^2,
// width] f32.
[[nodiscard]] engine::Tensor sinusoidal_positions_2d(std::int64_t side, std::int64_t width);

// Pooling and pair features alone, for checks: x [N, E] -> [1, E] f32.
[[nodiscard]] Value pool_rows(Pooling kind, const Value& x, std::int64_t length,
                              std::int64_t divisor);
// [1, E] each -> [1, 4 E] or [1, 2 E].
[[nodiscard]] Value pair_features(PairFeatures kind, const Value& a, const Value& b);

}  // namespace lra::models

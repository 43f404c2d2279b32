#pragma once
// Interface of attention variants. A variant is one file in this folder: a class derived from
// Attention, its plain definition and one LRA_ATTENTION line (see README.md).

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "attention/definition/plain.h"
#include "attention/definition/weights.h"
#include "engine/base/options.h"
#include "engine/base/random.h"
#include "engine/base/registry.h"
#include "engine/ops.h"
#include "engine/tape/parameters.h"

namespace lra::attention {

using engine::DType;
using engine::Parameter;
using engine::Shape;
using engine::Tensor;
using engine::Value;

// Sizes of the model a variant is part of.
struct Dimensions {
  std::int64_t heads = 1;       // H
  std::int64_t head_dim = 1;    // D
  std::int64_t width = 1;       // E, of the residual stream
  std::int64_t max_length = 1;  // longest sequence, CLS included
  std::int64_t layer = 0;
  std::int64_t layers = 1;
  bool cls = false;      // position 0 is a CLS token
  bool pre_norm = true;  // the block's norm is before the mixer, not after the residual sum
};

// The projected heads of one sequence. Rows from `length` (q) and `key_length` (k, v) on are
// padding of the bucket: a padded key must have weight exactly 0, whatever its content.
struct Heads {
  Value q;                      // [H, N, D]
  Value k;                      // [H, M, D]; equal to q's node for variants that share them
  Value v;                      // [H, M, Dv]
  std::int64_t length = 0;      // n, real queries
  std::int64_t key_length = 0;  // m, real keys
  Value x;                      // the block's input [N, E], for variants that project it themselves
  // Further inputs under their names in golden files (gates, second projections); the variant
  // computes a missing one from x with its own parameters.
  std::map<std::string, Value> given;
  [[nodiscard]] const Value* find(const std::string& name) const {
    const auto found = given.find(name);
    return found == given.end() ? nullptr : &found->second;
  }
};

// One call in one layer for one sequence.
class Context {
 public:
  std::int64_t length = 0;  // n, for variants that take the block's input
  bool training = false;
  double dropout = 0;           // on attention weights, 0 outside training
  double residual_dropout = 0;  // on the addition to the residual stream, for Traits::residual
  RandomKey call;               // differs by seed, step, example and layer
  RandomKey fixed;              // differs by seed and layer only
  std::int64_t step = 0;
  // Random draws of a variant, by name. Existing draws (from a golden file) are used.
  std::map<std::string, Tensor>* draws = nullptr;

  // Values that a layer passes to the next one in the same pass (Luna's packed sequence).
  std::map<std::string, Value>* carried = nullptr;

  // The draw with this name: the given one, or the result of `make`.
  [[nodiscard]] Tensor draw(const std::string& name, const std::function<Tensor()>& make) const;
};

// Adds a variant's parameters; names are prefixed with the layer's.
class ParameterBuilder {
 public:
  ParameterBuilder(engine::Parameters& parameters, std::string prefix)
      : parameters_(parameters), prefix_(std::move(prefix)) {}
  Parameter add(const std::string& name, const Shape& shape, engine::Initialiser initialiser,
                engine::Parameters::Traits traits) const {
    return parameters_.add(prefix_ + name, shape, std::move(initialiser), traits);
  }
  Parameter add(const std::string& name, const Shape& shape,
                engine::Initialiser initialiser) const {
    return parameters_.add(prefix_ + name, shape, std::move(initialiser));
  }

 private:
  engine::Parameters& parameters_;
  std::string prefix_;
};

// Input of a variant: heads of three projections, of two (q = k), or the block's input [N, E].
enum class Input { heads, shared_qk, block };
enum class Growth { linear, n_log_n, n_sqrt_n, quadratic };
[[nodiscard]] std::string_view growth_name(Growth growth);

struct Traits {
  std::string label;  // in tables
  std::string cite;   // "Qin2022, arXiv 2202.08791"
  Input input = Input::heads;
  Growth time = Growth::linear;
  Growth memory = Growth::linear;
  bool padding = true;      // padded = cropped
  bool stochastic = false;  // draws at each call
  bool causal = false;      // has an option `causal`
  bool cross = false;       // query length may differ from key length
  bool residual = false;    // mix() takes the residual stream unchanged and returns the new one:
                            // the variant brings the norm before it, a gate and the dropout
  bool approximates_softmax = false;
  bool permutation_equivariant = false;  // permuting the tokens permutes the output
  bool discrete = false;         // sorts, hashes or selects: rounding may change the selection
  bool ill_conditioned = false;  // in bf16, rounding may change the result beyond any tolerance
  double amplification = 1;      // of rounding, as by iterated inverses: factor on f32 tolerances
  std::vector<std::string> aliases = {};
};

class Attention {
 public:
  virtual ~Attention() = default;
  // Binds the options to members; called before build().
  virtual void options(OptionTable& table) { static_cast<void>(table); }
  // Adds parameters, keeps sizes.
  virtual void build(const ParameterBuilder& parameters, const Dimensions& dimensions) {
    static_cast<void>(parameters);
    static_cast<void>(dimensions);
  }
  // The options given by `hyper` of a golden file: by default, its entries with names of options of
  // the variant. Other entries state rules and are checked only through the numbers.
  [[nodiscard]] virtual nlohmann::json golden_options(const nlohmann::json& hyper);
  // [H, N, Dv]; rows from x.length on may be any finite values. For Input::heads and shared_qk.
  [[nodiscard]] virtual Value forward(const Heads& x, const Context& context) const;
  // [N, E] -> [N, E], replacing projections, heads and output projection. For Input::block.
  [[nodiscard]] virtual Value mix(const Value& x, const Context& context) const;
  // The same from the paper's sums in double precision, only for the real tokens, independent of
  // the code above, regardless of speed. A variant defines one of the two: its attention matrix,
  // row by row; none by default;
  [[nodiscard]] virtual Weights weights(const PlainInputs& in) const;
  // or, without a matrix or with more than W v, the result: [H, n, Dv] or [n, E]. Default: W v.
  [[nodiscard]] virtual Plain define(const PlainInputs& in) const;
};

struct Entry {
  Traits traits;
  std::unique_ptr<Attention> (*create)();
};
[[nodiscard]] Registry<Entry>& registry();

// A variant with its options set, ready for build(). Throws Error(usage, config).
[[nodiscard]] std::unique_ptr<Attention> create(std::string_view name,
                                                const nlohmann::json& options);
// All options of a variant with their values (defaults for those not in `options`).
[[nodiscard]] nlohmann::json resolved_options(std::string_view name, const nlohmann::json& options);

// forward() with the zero-query rule: rows of padded queries are 0, and so is the result of a
// sequence without real keys or queries.
[[nodiscard]] Value attend(const Attention& attention, const Heads& x, const Context& context);
// mix() with padded rows zeroed.
[[nodiscard]] Value mix(const Attention& attention, const Value& x, const Context& context);

}  // namespace lra::attention

// Registers a variant: its name (= the file's), its class and its Traits.
#define LRA_ATTENTION(name, type, ...)                          \
  static const bool lra_attention_registered_##name = [] {      \
    const ::lra::attention::Traits traits __VA_ARGS__;          \
    return ::lra::attention::registry().add(                    \
        #name,                                                  \
        {traits,                                                \
         []() -> std::unique_ptr<::lra::attention::Attention> { \
           return std::make_unique<type>();                     \
         }},                                                    \
        traits.aliases);                                        \
  }()

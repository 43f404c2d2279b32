#pragma once
// A variant with random parameters and inputs at small sizes, with its forward pass and definition:
// the basis of the generic checks. They cover every variant of the registry, plugins included.

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attention/attention.h"

namespace lra::attention {

struct ProbeSetup {
  std::int64_t heads = 2;
  std::int64_t head_dim = 5;
  std::int64_t max_length = 64;
  std::int64_t length = 13, rows = 13;          // real queries; rows of the tensor
  std::int64_t key_length = 13, key_rows = 13;  // other than the queries' for cross-attention
  DType type = DType::f32;
  bool rounded = false;  // parameters and inputs are exactly representable in bf16
  std::uint64_t seed = 1;
  std::uint64_t call = 0;  // determines the random draws of each call

  // Equal numbers of queries and keys.
  [[nodiscard]] static ProbeSetup self(std::int64_t length, std::int64_t rows);
  [[nodiscard]] static ProbeSetup cross(std::int64_t length, std::int64_t key_length);
};

// f32 tensors by name: q, k, v, qk [H, N, D], x [N, E], parameters.
using Tensors = std::map<std::string, Tensor>;

class Probe {
 public:
  // Throws Error(config) if the variant refuses the options.
  Probe(const std::string& variant, const nlohmann::json& options, const ProbeSetup& setup);

  // Normal values; padding rows have other values, by `garbage`. Gives the block's input, or q, k,
  // v (qk) and also the block's input x.
  [[nodiscard]] Tensors inputs(double scale = 1, std::uint64_t garbage = 0) const;
  // An upstream gradient for the output: [H, N, D] or [N, E].
  [[nodiscard]] Tensor upstream() const;

  struct Result {
    Tensor out;         // f32 [H, N, D] or [N, E]
    Tensors gradients;  // f32, of inputs and parameters; only with an upstream gradient
    std::map<std::string, Tensor> draws;
  };
  // attend() or mix(), and backwards if `upstream` is defined.
  [[nodiscard]] Result run(const Tensors& inputs, const Tensor& upstream) const;

  // The inputs of the variant's definition for these inputs and draws.
  [[nodiscard]] PlainInputs plain(const Tensors& inputs,
                                  const std::map<std::string, Tensor>& draws) const;
  [[nodiscard]] Plain define(const PlainInputs& in) const { return attention_->define(in); }
  // The real rows of an output, an input or a gradient, as double; parameters whole.
  [[nodiscard]] Plain real_rows(const std::string& name, const Tensor& tensor) const;

  [[nodiscard]] const Traits& traits() const { return traits_; }
  [[nodiscard]] const ProbeSetup& setup() const { return setup_; }

 private:
  [[nodiscard]] bool block() const { return traits_.input == Input::block; }
  [[nodiscard]] Shape input_shape(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> input_names() const;

  const Traits& traits_;
  ProbeSetup setup_;
  std::int64_t width_;
  std::unique_ptr<Attention> attention_;
  engine::Parameters parameters_;
};

// The larger of two errors; NaN if one of them is.
[[nodiscard]] double worse(double a, double b);
// "2.1e-07", "NaN", "infinite".
[[nodiscard]] std::string error_text(double error);

// max |a - e| / max(1e-3, scale), with scale the largest |e| if it is 0. NaN if an entry is NaN,
// infinite if one is or if the shapes differ.
[[nodiscard]] double relative_error(const Plain& actual, const Plain& expected, double scale = 0);

// Options at which a variant is checked at small sizes. The first set has small blocks, windows and
// feature counts; each further one changes one option to another value (all choices, both flags, a
// neighbour of small integers) or all real-valued ones at once. Sets that the variant refuses are
// left out.
[[nodiscard]] std::vector<nlohmann::json> option_sets(const std::string& variant);

// Allowed error of f32 against the definition, relative to the largest entry: the tolerances of the
// golden files times the variant's amplification of rounding.
struct Tolerance {
  double output, gradient;
};
[[nodiscard]] Tolerance definition_tolerance(const Traits& traits);

// Settings for comparing a variant with its definition: small odd lengths that no block divides,
// one token, buckets with padding, other numbers of keys if accepted, every option set.
struct DefinitionCase {
  nlohmann::json options;
  ProbeSetup setup;
  [[nodiscard]] std::string text() const;  // {"causal":true}, n = 13 of 16
};
[[nodiscard]] std::vector<DefinitionCase> definition_cases(const std::string& variant);

// Forward and backward against the definition.
struct DefinitionCheck {
  double output_error = 0;
  std::map<std::string, double> gradient_errors;  // by input; relative to the largest of them all
  [[nodiscard]] double worst_gradient() const;
};
// Gradients of sum(out * upstream) by central differences of the definition in double: `samples`
// entries of each input and one random direction over all of its entries; 0: every entry.
[[nodiscard]] DefinitionCheck check_definition(const Probe& probe, std::int64_t samples);

}  // namespace lra::attention

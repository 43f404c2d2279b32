#pragma once
// An attention variant outside of a model: batches of sequences forward and, with an upstream
// gradient, backward. One sequence is one task of the workers, as in training.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "attention/attention.h"
#include "harness/workers/workers.h"

namespace lra::python {

// Row-major f32 values owned by the caller; no data: absent.
struct Array {
  engine::Shape shape;
  const float* data = nullptr;
};
using Arrays = std::map<std::string, Array>;

struct AttentionCall {
  // q [B,H,N,D], k [B,H,M,D], v [B,H,M,Dv]; or qk [B,H,N,D], v; or x [B,N,E] alone. Variants over
  // heads that project the block's input themselves also take x [B,N,E].
  Arrays inputs;
  Arrays parameters;                               // new values of parameters, by name
  std::vector<std::int64_t> lengths, key_lengths;  // [B] real rows; empty: all
  bool training = false;
  double dropout = 0;  // on attention weights
  std::uint64_t seed = 0;
  Array upstream;  // the gradient of the output; absent: forward alone
};

struct AttentionResult {
  engine::Tensor out;                               // [B,H,N,Dv] or [B,N,E]
  std::map<std::string, engine::Tensor> gradients;  // of inputs and parameters
};

class AttentionModule {
 public:
  // Parameters get their initial values from the seed. Throws Error(usage, config).
  AttentionModule(const std::string& name, const nlohmann::json& options,
                  const attention::Dimensions& dimensions, std::uint64_t seed);

  // Sums parameter gradients in the order of the sequences. Calls of one module are serialised.
  // Throws Error(shape) for arrays of the wrong shape, Error(usage) for missing ones.
  [[nodiscard]] AttentionResult run(const AttentionCall& call, harness::Workers& workers);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const attention::Traits& traits() const { return traits_; }
  [[nodiscard]] const attention::Dimensions& dimensions() const { return dimensions_; }
  [[nodiscard]] const nlohmann::json& options() const { return options_; }
  [[nodiscard]] const engine::Parameters& parameters() const { return parameters_; }
  // Whether a variant over heads also takes the block's input.
  [[nodiscard]] bool needs_block_input() const { return needs_x_; }

 private:
  struct Sizes {
    std::int64_t sequences = 0;             // B
    std::int64_t queries = 0, keys = 0;     // N, M
    std::vector<std::int64_t> real, known;  // [B]
  };
  struct Sequence {
    engine::Tensor out;
    std::map<std::string, engine::Tensor> gradients;
    engine::Tensor sums;  // of parameters
  };
  [[nodiscard]] std::vector<std::string> input_names() const;
  [[nodiscard]] Sizes check(const AttentionCall& call) const;
  void check_parameters(const Arrays& parameters) const;
  [[nodiscard]] Sequence run_sequence(const AttentionCall& call, const Sizes& sizes,
                                      std::int64_t b) const;
  [[nodiscard]] engine::Value forward(const std::map<std::string, engine::Value>& leaves,
                                      std::int64_t length, std::int64_t key_length,
                                      const attention::Context& context) const;
  [[nodiscard]] bool reads_block_input() const;

  std::string name_;
  const attention::Traits& traits_;
  nlohmann::json options_;
  attention::Dimensions dimensions_;
  std::unique_ptr<attention::Attention> attention_;
  engine::Parameters parameters_;
  bool needs_x_ = false;
  std::mutex mutex_;
};

}  // namespace lra::python

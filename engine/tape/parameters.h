#pragma once
// Trainable parameters: f32 masters in one flat array, bf16 copies for computation, and access for
// computing threads.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/random.h"
#include "engine/tape/tape.h"

namespace lra::engine {

// Functions that fill a parameter's initial values.
using Initialiser = std::function<void(RandomStream&, std::span<float>)>;
namespace init {
[[nodiscard]] Initialiser constant(float value);
[[nodiscard]] Initialiser normal(float mean, float std);
[[nodiscard]] Initialiser uniform(float low, float high);
// U(-a, a), a = gain sqrt(6 / (fan_in + fan_out)) (Glorot, Bengio 2010).
[[nodiscard]] Initialiser xavier_uniform(std::int64_t fan_in, std::int64_t fan_out,
                                         float gain = 1.0F);
// PyTorch's default for Linear's weight and bias: U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
[[nodiscard]] Initialiser torch_linear(std::int64_t fan_in);
}  // namespace init

class Parameters;

// A parameter, as its index in the set.
class Parameter {
 public:
  Parameter() = default;
  [[nodiscard]] bool defined() const { return index_ >= 0; }
  // Its value in the thread's compute type (bf16 for matrices of a bf16 run), with a gradient if a
  // tape records. Needs a ParameterScope on this thread.
  [[nodiscard]] Value value() const;
  // Its value in f32.
  [[nodiscard]] Value value_f32() const;

 private:
  friend class Parameters;
  explicit Parameter(std::int64_t index) : index_(index) {}
  std::int64_t index_ = -1;
};

class Parameters {
 public:
  struct Entry {
    std::string name;
    Shape shape;
    std::int64_t offset = 0;  // into the flat arrays, in elements
    std::int64_t size = 0;
    bool decay = true;  // takes part in weight decay
    bool slow = false;  // state-space parameters: no decay, learning rate at most 1e-3
  };
  struct Traits {
    bool decay = true;
    bool slow = false;
  };

  // Adds a parameter; all are added before initialise(). Throws Error(config) on a duplicate name.
  Parameter add(const std::string& name, const Shape& shape, Initialiser initialiser,
                Traits traits);
  Parameter add(const std::string& name, const Shape& shape, Initialiser initialiser) {
    return add(name, shape, std::move(initialiser), Traits{});
  }

  // Allocates and fills each parameter from the seed and its name, independently of the order.
  void initialise(std::uint64_t seed, DType compute);
  // Copies the masters to the compute type of products; called after each optimiser step.
  void refresh();

  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  [[nodiscard]] std::int64_t count() const;  // trainable numbers
  [[nodiscard]] std::int64_t flat_size() const { return flat_size_; }
  [[nodiscard]] const Tensor& master() const { return master_; }  // [flat_size] f32
  [[nodiscard]] Tensor tensor(const Entry& entry) const;          // f32, of the entry's shape
  [[nodiscard]] const Entry* find(std::string_view name) const;
  [[nodiscard]] DType compute_type() const { return compute_; }

 private:
  friend class ParameterScope;
  std::vector<Entry> entries_;
  std::vector<Initialiser> initialisers_;
  std::int64_t flat_size_ = 0;
  DType compute_ = DType::f32;
  Tensor master_, copy_;
};

// Makes a set of parameters available to this thread during the object's lifetime. Gradients are
// added into `gradients` [flat_size] f32 (undefined: none are wanted).
class ParameterScope {
 public:
  ParameterScope(const Parameters& parameters, Tensor gradients);
  ParameterScope(const ParameterScope&) = delete;
  ParameterScope& operator=(const ParameterScope&) = delete;
  ~ParameterScope();

 private:
  friend class Parameter;
  [[nodiscard]] Value value(std::int64_t index, bool f32) const;
  const Parameters& parameters_;
  Tensor gradients_;
  const ParameterScope* outer_;
};

}  // namespace lra::engine

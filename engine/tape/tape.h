#pragma once
// Reverse-mode differentiation. A Value is a tensor and, while a Tape records, a slot for its
// gradient. An operation computes its result immediately and records its backward rule on the tape
// with only the tensors that the rule needs, so that others are freed as soon as they are unused.
// Without a tape (inference) nothing is recorded.

#include <functional>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "engine/tensor/tensor.h"

namespace lra::engine {

// A gradient under construction: the sum of the contributions of a value's consumers.
class GradNode {
 public:
  GradNode(const Shape& shape, DType dtype) : shape_(shape), dtype_(dtype) {}

  // Adds a contribution of the value's shape. The first one is taken over without a copy.
  void add(Tensor contribution);

  // The memory of the first contribution if it is a slice of a larger gradient, for a rule that
  // overwrites it and then add()s it; else undefined.
  [[nodiscard]] Tensor place();

  // A target into which a backward rule writes its contribution: it must overwrite the target, or
  // add to it if `accumulate` is set. The target's type may be wider than the value's (f32 for
  // parameters).
  struct Target {
    Tensor tensor;
    bool accumulate;
  };
  [[nodiscard]] Target target();

  [[nodiscard]] const Tensor& value() const { return grad_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] DType dtype() const { return dtype_; }

 private:
  friend class Tape;
  friend class Value;
  friend std::vector<class Value> split(const class Value& x, std::int64_t parts);
  Shape shape_;
  DType dtype_;
  Tensor grad_;
  bool placed_ = false;  // place() was called: the next contribution is already in place
  bool bound_ = false;   // grad_ has another owner and already contains a sum
  std::function<Tensor()> provide_;  // part of a larger gradient, for slices
  std::function<void(Tensor)> backward_;
};
using Gradient = std::shared_ptr<GradNode>;

class Value {
 public:
  Value() = default;
  // A constant.
  explicit Value(Tensor tensor) : tensor_(std::move(tensor)) {}

  [[nodiscard]] bool defined() const { return tensor_.defined(); }
  [[nodiscard]] const Tensor& tensor() const { return tensor_; }
  [[nodiscard]] const Shape& shape() const { return tensor_.shape(); }
  [[nodiscard]] std::int64_t dim(int axis) const { return tensor_.dim(axis); }
  [[nodiscard]] int rank() const { return tensor_.rank(); }
  [[nodiscard]] DType dtype() const { return tensor_.dtype(); }
  // Null for a constant and outside a tape.
  [[nodiscard]] const Gradient& gradient() const { return gradient_; }

 private:
  friend class Tape;
  Value(Tensor tensor, Gradient gradient)
      : tensor_(std::move(tensor)), gradient_(std::move(gradient)) {}
  Tensor tensor_;
  Gradient gradient_;
};

// Records the operations of this thread from construction to destruction; tapes nest.
class Tape {
 public:
  Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  ~Tape();

  // This thread's innermost tape, or null.
  [[nodiscard]] static Tape* current();

  // A leaf whose gradient is kept for reading after backward().
  [[nodiscard]] Value leaf(Tensor tensor);
  // A leaf whose gradient is added into `sum` (f32, the tensor's shape).
  [[nodiscard]] Value parameter(Tensor tensor, Tensor sum);

  // Runs the recorded rules backwards from `output`, whose gradient is `seed` (ones if absent), and
  // forgets them.
  void backward(const Value& output, Tensor seed = {});
  // The same from several outputs at once.
  void backward(const std::vector<std::pair<Value, Tensor>>& outputs);

  // Records an operation's result. `rule` receives the gradient of the result; it is recorded only
  // if an input has a gradient.
  [[nodiscard]] static Value record(Tensor result, std::initializer_list<const Value*> inputs,
                                    std::function<void(Tensor)> rule);

 private:
  friend std::vector<Value> split(const Value& x, std::int64_t parts);
  Value push(Tensor result, std::function<void(Tensor)> rule);
  std::vector<Gradient> nodes_;
  Tape* outer_;
};

}  // namespace lra::engine

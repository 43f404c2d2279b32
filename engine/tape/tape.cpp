#include "engine/tape/tape.h"

#include <utility>

#include "engine/compute/kernels/kernels.h"
#include "engine/compute/primitives/primitives.h"

namespace lra::engine {
namespace {
thread_local Tape* current_tape = nullptr;
}  // namespace

void GradNode::add(Tensor contribution) {
  if (contribution.shape() != shape_) {
    fail(ErrorKind::shape, "tape: a gradient of shape {} was added to a value of shape {}",
         contribution.shape().text(), shape_.text());
  }
  if (std::exchange(placed_, false) && contribution.raw() == grad_.raw()) return;
  if (!grad_.defined() && !provide_ && contribution.dtype() == dtype_) {
    grad_ = std::move(contribution);
    return;
  }
  const Target to = target();
  if (!to.accumulate) {
    primitives::copy(primitives::view(contribution), primitives::view(to.tensor));
  } else if (contribution.numel() <= kernels::kSmall || contribution.dtype() == DType::f32) {
    kernels::add_to(contribution, to.tensor);
  } else {
    primitives::binary(primitives::Binary::add, to.tensor, contribution, to.tensor);
  }
}

Tensor GradNode::place() {
  if (grad_.defined() || !provide_) return {};
  grad_ = provide_();
  placed_ = true;
  return grad_;
}

GradNode::Target GradNode::target() {
  if (!grad_.defined()) {
    grad_ = provide_ ? provide_() : Tensor(shape_, dtype_);
    return {grad_, false};
  }
  // Another node may have taken over the same tensor: a sum must not change it there.
  if (!bound_ && !provide_ && !grad_.unique()) grad_ = grad_.clone();
  return {grad_, true};
}

Tape::Tape() : outer_(std::exchange(current_tape, this)) {}
Tape::~Tape() { current_tape = outer_; }
Tape* Tape::current() { return current_tape; }

Value Tape::push(Tensor result, std::function<void(Tensor)> rule) {
  auto node = std::make_shared<GradNode>(result.shape(), result.dtype());
  node->backward_ = std::move(rule);
  nodes_.push_back(node);
  return {std::move(result), std::move(node)};
}

Value Tape::leaf(Tensor tensor) {
  auto node = std::make_shared<GradNode>(tensor.shape(), tensor.dtype());
  return {std::move(tensor), std::move(node)};
}

Value Tape::parameter(Tensor tensor, Tensor sum) {
  auto node = std::make_shared<GradNode>(tensor.shape(), DType::f32);
  node->grad_ = std::move(sum);
  node->bound_ = true;
  return {std::move(tensor), std::move(node)};
}

Value Tape::record(Tensor result, std::initializer_list<const Value*> inputs,
                   std::function<void(Tensor)> rule) {
  bool wanted = false;
  for (const Value* input : inputs) wanted = wanted || input->gradient_ != nullptr;
  if (current_tape == nullptr || !wanted) return Value(std::move(result));
  return current_tape->push(std::move(result), std::move(rule));
}

void Tape::backward(const Value& output, Tensor seed) {
  if (!seed.defined()) seed = Tensor::full(output.shape(), 1.0F, output.dtype());
  backward({{output, std::move(seed)}});
}

void Tape::backward(const std::vector<std::pair<Value, Tensor>>& outputs) {
  for (const auto& [output, seed] : outputs) {
    if (output.gradient_) output.gradient_->add(seed);
  }
  while (!nodes_.empty()) {
    const Gradient node = std::move(nodes_.back());
    nodes_.pop_back();
    // The rule owns the gradient and may overwrite it if it is not shared.
    if (node->grad_.defined() && node->backward_) node->backward_(std::move(node->grad_));
    node->backward_ = nullptr;
    node->grad_ = Tensor();
  }
}

}  // namespace lra::engine

#include "engine/tape/parameters.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/compute/primitives/primitives.h"

namespace lra::engine {
namespace {

thread_local const ParameterScope* current_scope = nullptr;

constexpr std::int64_t kAlignment = 16;  // elements: every parameter starts a cache line in f32

}  // namespace

namespace init {

Initialiser constant(float value) {
  return [value](RandomStream&, std::span<float> x) { std::fill(x.begin(), x.end(), value); };
}
Initialiser normal(float mean, float std) {
  return [=](RandomStream& random, std::span<float> x) {
    for (float& v : x) v = mean + std * static_cast<float>(random.normal());
  };
}
Initialiser uniform(float low, float high) {
  return [=](RandomStream& random, std::span<float> x) {
    for (float& v : x) v = low + (high - low) * static_cast<float>(random.uniform());
  };
}
Initialiser xavier_uniform(std::int64_t fan_in, std::int64_t fan_out, float gain) {
  const float a = gain * std::sqrt(6.0F / static_cast<float>(fan_in + fan_out));
  return uniform(-a, a);
}
Initialiser torch_linear(std::int64_t fan_in) {
  const float a = 1.0F / std::sqrt(static_cast<float>(fan_in));
  return uniform(-a, a);
}

}  // namespace init

Parameter Parameters::add(const std::string& name, const Shape& shape, Initialiser initialiser,
                          Traits traits) {
  if (find(name) != nullptr) fail(ErrorKind::config, "parameters: '{}' is added twice", name);
  entries_.push_back({name, shape, flat_size_, shape.numel(), traits.decay, traits.slow});
  initialisers_.push_back(std::move(initialiser));
  flat_size_ += (shape.numel() + kAlignment - 1) / kAlignment * kAlignment;
  return Parameter(static_cast<std::int64_t>(entries_.size()) - 1);
}

void Parameters::initialise(std::uint64_t seed, DType compute) {
  compute_ = compute;
  master_ = Tensor::zeros({flat_size_});
  if (compute == DType::bf16) copy_ = Tensor({flat_size_}, DType::bf16);
  const RandomKey key = RandomKey(seed).of("initial values");
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    RandomStream random(key.of(entries_[i].name));
    initialisers_[i](
        random, {master_.f32() + entries_[i].offset, static_cast<std::size_t>(entries_[i].size)});
  }
  refresh();
}

void Parameters::refresh() {
  if (compute_ == DType::bf16 && flat_size_ > 0) {
    primitives::copy(primitives::view(master_), primitives::view(copy_));
  }
}

std::int64_t Parameters::count() const {
  std::int64_t total = 0;
  for (const Entry& entry : entries_) total += entry.size;
  return total;
}

Tensor Parameters::tensor(const Entry& entry) const {
  return master_.slice(entry.offset, entry.size).reshaped(entry.shape);
}

const Parameters::Entry* Parameters::find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [name](const Entry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

ParameterScope::ParameterScope(const Parameters& parameters, Tensor gradients)
    : parameters_(parameters),
      gradients_(std::move(gradients)),
      outer_(std::exchange(current_scope, this)) {}

ParameterScope::~ParameterScope() { current_scope = outer_; }

Value ParameterScope::value(std::int64_t index, bool f32) const {
  const auto& entry = parameters_.entries_[static_cast<std::size_t>(index)];
  // Gains and biases stay f32, as oneDNN requires with bf16 data.
  const bool copy = !f32 && parameters_.compute_ == DType::bf16 && entry.shape.rank() >= 2;
  const Tensor& flat = copy ? parameters_.copy_ : parameters_.master_;
  Tensor tensor = flat.slice(entry.offset, entry.size).reshaped(entry.shape);
  Tape* tape = Tape::current();
  if (tape == nullptr || !gradients_.defined()) return Value(std::move(tensor));
  return tape->parameter(std::move(tensor),
                         gradients_.slice(entry.offset, entry.size).reshaped(entry.shape));
}

Value Parameter::value() const {
  if (current_scope == nullptr)
    fail(ErrorKind::backend, "parameters: no ParameterScope on this thread");
  return current_scope->value(index_, false);
}

Value Parameter::value_f32() const {
  if (current_scope == nullptr)
    fail(ErrorKind::backend, "parameters: no ParameterScope on this thread");
  return current_scope->value(index_, true);
}

}  // namespace lra::engine

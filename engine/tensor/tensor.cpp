#include "engine/tensor/tensor.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "engine/tensor/memory.h"

namespace lra::engine {

const char* dtype_name(DType type) {
  switch (type) {
    case DType::f32:
      return "f32";
    case DType::bf16:
      return "bf16";
    case DType::i32:
      return "i32";
  }
  return "?";
}

Shape::Shape(std::initializer_list<std::int64_t> dims)
    : Shape(std::span<const std::int64_t>(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const std::int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  if (dims.size() > kMaxRank) {
    fail(ErrorKind::shape, "shape: got {} dimensions, expected at most {}", dims.size(), kMaxRank);
  }
  std::copy(dims.begin(), dims.end(), dims_.begin());
}

std::size_t Shape::index(int axis) const {
  const int from_start = axis < 0 ? axis + rank_ : axis;
  if (from_start < 0 || from_start >= rank_) {
    fail(ErrorKind::shape, "shape: axis {} is outside {}", axis, text());
  }
  return static_cast<std::size_t>(from_start);
}

std::int64_t Shape::numel() const {
  std::int64_t product = 1;
  for (const std::int64_t d : dims()) product *= d;
  return product;
}

std::int64_t Shape::outer(int axis) const {
  std::int64_t product = 1;
  for (const std::int64_t d : dims().first(index(axis))) product *= d;
  return product;
}

std::int64_t Shape::inner(int axis) const {
  std::int64_t product = 1;
  for (const std::int64_t d : dims().subspan(index(axis) + 1)) product *= d;
  return product;
}

std::string Shape::text() const { return fmt::format("[{}]", fmt::join(dims(), ", ")); }

Tensor::Tensor(const Shape& shape, DType dtype) : shape_(shape), dtype_(dtype) {
  for (const std::int64_t d : shape.dims()) {
    if (d < 0) fail(ErrorKind::shape, "tensor: negative size in {}", shape.text());
  }
  storage_ = allocate_block(bytes());
  data_ = storage_.get();
}

Tensor Tensor::zeros(const Shape& shape, DType dtype) {
  Tensor result(shape, dtype);
  result.zero();
  return result;
}

Tensor Tensor::full(const Shape& shape, float value, DType dtype) {
  Tensor result(shape, dtype);
  if (dtype == DType::bf16) {
    std::fill_n(result.bf16(), result.numel(), to_bfloat16(value));
  } else {
    std::fill_n(result.f32(), result.numel(), value);
  }
  return result;
}

Tensor Tensor::from(const Shape& shape, std::span<const float> values, DType dtype) {
  if (shape.numel() != static_cast<std::int64_t>(values.size())) {
    fail(ErrorKind::shape, "tensor: got {} values, expected {} for {}", values.size(),
         shape.numel(), shape.text());
  }
  Tensor result(shape, dtype);
  if (dtype == DType::bf16) {
    std::transform(values.begin(), values.end(), result.bf16(), to_bfloat16);
  } else {
    std::copy(values.begin(), values.end(), result.f32());
  }
  return result;
}

Tensor Tensor::from_indices(const Shape& shape, std::span<const std::int32_t> values) {
  if (shape.numel() != static_cast<std::int64_t>(values.size())) {
    fail(ErrorKind::shape, "tensor: got {} indices, expected {} for {}", values.size(),
         shape.numel(), shape.text());
  }
  Tensor result(shape, DType::i32);
  std::copy(values.begin(), values.end(), result.i32());
  return result;
}

Tensor Tensor::reshaped(const Shape& shape) const {
  if (shape.numel() != numel()) {
    fail(ErrorKind::shape, "reshape: got {}, expected {} elements as in {}", shape.text(), numel(),
         shape_.text());
  }
  Tensor result = *this;
  result.shape_ = shape;
  return result;
}

Tensor Tensor::slice(std::int64_t begin, std::int64_t count) const {
  if (begin < 0 || count < 0 || begin + count > dim(0)) {
    fail(ErrorKind::shape, "slice: [{}, {}) is outside the first axis of {}", begin, begin + count,
         shape_.text());
  }
  Tensor result = *this;
  result.shape_.set(0, count);
  result.data_ += static_cast<std::size_t>(begin * shape_.inner(0)) * size_of(dtype_);
  return result;
}

void Tensor::zero() const { std::memset(data_, 0, bytes()); }

Tensor Tensor::clone() const {
  Tensor result(shape_, dtype_);
  std::memcpy(result.data_, data_, bytes());
  return result;
}

std::vector<float> Tensor::to_floats() const {
  std::vector<float> values(static_cast<std::size_t>(numel()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = dtype_ == DType::f32    ? f32()[i]
                : dtype_ == DType::bf16 ? to_float(bf16()[i])
                                        : static_cast<float>(i32()[i]);
  }
  return values;
}

}  // namespace lra::engine

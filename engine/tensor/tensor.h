#pragma once
// Dense row-major tensors of f32 or bf16 (i32 for indices) on pooled memory. Copies share storage.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/error.h"

namespace lra::engine {

enum class DType : std::uint8_t { f32, bf16, i32 };
[[nodiscard]] constexpr std::size_t size_of(DType type) { return type == DType::bf16 ? 2 : 4; }
[[nodiscard]] const char* dtype_name(DType type);

// The bits of a bfloat16.
struct BFloat16 {
  std::uint16_t bits;
};
[[nodiscard]] inline float to_float(float x) { return x; }
[[nodiscard]] inline float to_float(BFloat16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16U);
}
// Round to nearest even; NaN stays NaN.
[[nodiscard]] inline BFloat16 to_bfloat16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = bits + 0x7FFFU + ((bits >> 16U) & 1U);
  const bool nan = (bits & 0x7FFFFFFFU) > 0x7F800000U;
  return {static_cast<std::uint16_t>((nan ? (bits | 0x400000U) : rounded) >> 16U)};
}

// Up to six dimensions.
class Shape {
 public:
  static constexpr int kMaxRank = 6;
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims);
  explicit Shape(std::span<const std::int64_t> dims);

  [[nodiscard]] int rank() const { return rank_; }
  // Size of an axis; negative axes count from the end.
  [[nodiscard]] std::int64_t operator[](int axis) const { return dims_[index(axis)]; }
  void set(int axis, std::int64_t size) { dims_[index(axis)] = size; }
  [[nodiscard]] std::int64_t numel() const;
  // Product of the sizes before `axis` and after it.
  [[nodiscard]] std::int64_t outer(int axis) const;
  [[nodiscard]] std::int64_t inner(int axis) const;
  [[nodiscard]] int axis(int axis) const { return static_cast<int>(index(axis)); }
  [[nodiscard]] std::span<const std::int64_t> dims() const {
    return {dims_.data(), static_cast<std::size_t>(rank_)};
  }
  [[nodiscard]] std::string text() const;  // "[2, 1024, 32]"
  friend bool operator==(const Shape& a, const Shape& b) {
    return a.rank_ == b.rank_ && a.dims_ == b.dims_;
  }

 private:
  [[nodiscard]] std::size_t index(int axis) const;
  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

class Tensor {
 public:
  Tensor() = default;
  // Uninitialised.
  Tensor(const Shape& shape, DType dtype);
  [[nodiscard]] static Tensor zeros(const Shape& shape, DType dtype = DType::f32);
  [[nodiscard]] static Tensor full(const Shape& shape, float value, DType dtype = DType::f32);
  [[nodiscard]] static Tensor from(const Shape& shape, std::span<const float> values,
                                   DType dtype = DType::f32);
  [[nodiscard]] static Tensor from_indices(const Shape& shape,
                                           std::span<const std::int32_t> values);

  [[nodiscard]] bool defined() const { return storage_ != nullptr; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] std::int64_t dim(int axis) const { return shape_[axis]; }
  [[nodiscard]] int rank() const { return shape_.rank(); }
  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] std::int64_t numel() const { return shape_.numel(); }
  [[nodiscard]] std::size_t bytes() const {
    return static_cast<std::size_t>(numel()) * size_of(dtype_);
  }
  [[nodiscard]] std::byte* raw() const { return data_; }
  // The elements; T must match the type.
  template <class T>
  [[nodiscard]] T* data() const {
    return reinterpret_cast<T*>(data_);
  }
  [[nodiscard]] float* f32() const { return data<float>(); }
  [[nodiscard]] BFloat16* bf16() const { return data<BFloat16>(); }
  [[nodiscard]] std::int32_t* i32() const { return data<std::int32_t>(); }

  // The same elements under another shape of equal size. Throws Error(shape).
  [[nodiscard]] Tensor reshaped(const Shape& shape) const;
  // Entries begin..begin+count-1 of the first axis, sharing storage.
  [[nodiscard]] Tensor slice(std::int64_t begin, std::int64_t count) const;
  // True if the storage is not shared, so its content may be overwritten.
  [[nodiscard]] bool unique() const { return storage_.use_count() == 1; }
  void zero() const;
  [[nodiscard]] Tensor clone() const;
  // The values as floats, row-major (also for i32).
  [[nodiscard]] std::vector<float> to_floats() const;

 private:
  std::shared_ptr<std::byte> storage_;
  std::byte* data_ = nullptr;
  Shape shape_;
  DType dtype_ = DType::f32;
};

}  // namespace lra::engine

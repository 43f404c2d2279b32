#pragma once
// Helpers shared by the kernels.

#include "engine/tensor/tensor.h"

namespace lra::engine::kernels {

inline void store(float* p, float x) { *p = x; }
inline void store(BFloat16* p, float x) { *p = to_bfloat16(x); }

// Calls f with typed pointers for the tensors' element types (f32 or bf16).
template <class F>
void with_type(const Tensor& x, F f) {
  if (x.dtype() == DType::bf16) {
    f(x.bf16());
  } else {
    f(x.f32());
  }
}

// y += x, rounded to y's type.
void add_row(const float* x, float* y, std::int64_t n);
void add_row(const BFloat16* x, float* y, std::int64_t n);
void add_row(const BFloat16* x, BFloat16* y, std::int64_t n);
void add_row(const float* x, BFloat16* y, std::int64_t n);

}  // namespace lra::engine::kernels

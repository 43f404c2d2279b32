#pragma once
// Registers of several floats for loops that compilers do not keep in registers by themselves. Not
// installed. Functions that use them are compiled under LRA_SIMD and take no register by value.

#include <cstring>

namespace lra::engine {

// A register of W floats, or as many as the machine needs for it.
template <int W>
struct Register {
  using Lanes __attribute__((vector_size(W * sizeof(float)))) = float;
};

template <class Lanes>
[[gnu::always_inline]] inline void load(const float* from, Lanes& to) {
  std::memcpy(&to, from, sizeof(Lanes));
}
template <class Lanes>
[[gnu::always_inline]] inline void store(const Lanes& from, float* to) {
  std::memcpy(to, &from, sizeof(Lanes));
}

// True if registers of 16 floats are the machine's own (AVX-512), and there are 32 of them.
[[nodiscard]] inline bool wide_registers() {
  static const bool found = __builtin_cpu_supports("avx512f") != 0;
  return found;
}

}  // namespace lra::engine

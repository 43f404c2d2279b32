#pragma once
// LRA_SIMD before a function compiles it for AVX-512, AVX2 and the baseline; the loader picks one.
// For the few hand-written loops without a oneDNN primitive.

#if defined(__x86_64__) && defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__) && defined(__GNUC__) && !defined(__clang__)
#define LRA_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LRA_SIMD
#endif

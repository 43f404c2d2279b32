#pragma once
// What the tensors of an attention variant's golden case say by their names and shapes.

#include <cstdint>
#include <string>

#include "attention/attention.h"
#include "harness/check/golden_file.h"

namespace lra::harness {

// Inputs with rows of tokens: q, k, v, qk [B, H, N, D] or [B, N, E], x [B, N, E].
[[nodiscard]] bool is_token_input(const std::string& name);

// The sizes of a case: B sequences, N query and M key rows.
struct GoldenSizes {
  std::int64_t B = 1, N = 1, M = 1;
  std::int64_t heads = 1, head_dim = 1, width = 1;
};
// Throws Error(data) if there is no token input, or if one has other axes or another B.
[[nodiscard]] GoldenSizes read_sizes(const GoldenCase& c);

// A case of a whole block, with projections Wq, Wk, Wv, Wo [out, in] around the heads of the
// variant. HGRN2's key and value are Wf and Wi.
[[nodiscard]] bool around_heads(const GoldenCase& c, const attention::Traits& traits);

}  // namespace lra::harness

#include "harness/check/golden_layout.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "engine/base/error.h"

namespace lra::harness {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 5> kTokenInputs{"q", "k", "v", "qk", "x"};

}  // namespace

bool is_token_input(const std::string& name) {
  return std::find(kTokenInputs.begin(), kTokenInputs.end(), name) != kTokenInputs.end();
}

GoldenSizes read_sizes(const GoldenCase& c) {
  const auto find = [&](std::initializer_list<const char*> names) -> const GoldenTensor* {
    for (const char* name : names) {
      if (const auto it = c.inputs.find(name); it != c.inputs.end()) return &it->second;
    }
    return nullptr;
  };
  const GoldenTensor* tokens = find({"q", "qk", "v", "x"});
  if (tokens == nullptr) fail(ErrorKind::data, "golden: inputs have none of q, qk, v, x");
  const GoldenTensor* keys = find({"k", "qk", "v", "x"});
  const GoldenTensor* heads = find({"q", "qk", "v"});
  const GoldenTensor* x = find({"x"});
  for (const char* name : kTokenInputs) {
    const GoldenTensor* tensor = find({name});
    const int rank = tensor == nullptr ? 3 : tensor->shape.rank();
    if (rank != 3 && (rank != 4 || tensor == x)) {
      fail(ErrorKind::data, "golden: input {} has shape {}, expected [B, H, N, D] or [B, N, E]",
           name, tensor->shape.text());
    }
    if (tensor != nullptr && tensor->shape[0] != tokens->shape[0]) {
      fail(ErrorKind::data, "golden: input {} has {} sequences, expected {}", name,
           tensor->shape[0], tokens->shape[0]);
    }
  }
  GoldenSizes s;
  s.B = tokens->shape[0];
  s.N = tokens->shape[-2];
  s.M = keys->shape[-2];
  if (heads != nullptr) {
    s.heads = heads->shape.rank() == 4 ? heads->shape[1] : 1;
    s.head_dim = heads->shape[-1];
    s.width = x != nullptr ? x->shape[-1] : s.heads * s.head_dim;
  } else {
    s.width = x->shape[-1];
    const json number = c.hyper.value("heads", json(1));
    s.heads = number.is_number_integer() && number > 0 ? number.get<std::int64_t>() : 1;
    s.head_dim = std::max<std::int64_t>(1, s.width / s.heads);
  }
  return s;
}

bool around_heads(const GoldenCase& c, const attention::Traits& traits) {
  return traits.input == attention::Input::heads && c.hyper.value("level", json()) == "block";
}

}  // namespace lra::harness

#pragma once
// The format of a run's activations and products; parameters are always f32.

#include "engine/base/enum_text.h"

namespace lra {

enum class Precision { bf16, f32 };
constexpr auto texts(Precision) { return enum_texts("bf16", "f32"); }

}  // namespace lra

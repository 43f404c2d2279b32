#pragma once
// A quirk of the arena's code, which tasks over grey pictures have as an option.

#include "engine/base/enum_text.h"

namespace lra::tasks {

// none: the id of a pixel is its grey value + 1; google: the value itself, and a black pixel, id 0,
// is left out as padding.
enum class PixelMask { none, google };
constexpr auto texts(PixelMask) { return enum_texts("none", "google"); }

}  // namespace lra::tasks

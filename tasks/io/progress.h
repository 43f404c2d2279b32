#pragma once
// Progress callback of long work.

#include <cstdint>
#include <functional>
#include <string_view>

namespace lra::tasks {

// Arguments: the current work, the amount done, and the total (0: unknown).
using Progress = std::function<void(std::string_view what, std::int64_t done, std::int64_t total)>;

}  // namespace lra::tasks

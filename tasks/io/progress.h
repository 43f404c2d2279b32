#pragma once
// How long work tells how far it is.

#include <cstdint>
#include <functional>
#include <string_view>

namespace lra::tasks {

// What is being done, how far it is, of how much (0: not known).
using Progress = std::function<void(std::string_view what, std::int64_t done, std::int64_t total)>;

}  // namespace lra::tasks

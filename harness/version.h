#pragma once
// Version of the program.

#include <string>

namespace lra::harness {

[[nodiscard]] std::string version();        // "0.1.0"
[[nodiscard]] std::string compiler_name();  // "GCC 12.2.0"
[[nodiscard]] std::string commit();         // of the sources at build time; empty if not known
[[nodiscard]] bool commit_is_dirty();

}  // namespace lra::harness

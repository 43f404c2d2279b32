#pragma once
// Attention variants from shared libraries built against the installed headers.

#include <string>

namespace lra::harness {

// Loads a library whose LRA_ATTENTION lines then fill the registry. Throws Error(usage) if it
// cannot be loaded, registers nothing, or was built against another version of lra
// (attention/plugin.h); none of its code runs in the last case.
void load_plugin(const std::string& path);

}  // namespace lra::harness

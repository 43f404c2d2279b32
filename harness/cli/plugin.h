#pragma once
// Attention variants from shared libraries built against the installed headers.

#include <string>

namespace lra::harness {

// Loads a library whose LRA_ATTENTION lines then fill the registry. Throws Error(usage) if it
// registers nothing or was built against another version of lra (attention/plugin.h), Error(data) if
// it is truncated, lacks symbols or its initialiser throws; its code runs in the latter case only.
void load_plugin(const std::string& path);

}  // namespace lra::harness

#pragma once
// Attention variants from shared libraries built against the installed headers.

#include <string>

namespace lra::harness {

// Loads a library whose LRA_ATTENTION lines fill the registry. Throws Error(usage) if it
// registers nothing or was built against another version of lra (attention/plugin.h; none of its
// code runs then), Error(data) if it is truncated or lacks symbols. An initialiser that throws ends
// the program with a message and the exit code of Error(data), because the exception cannot pass
// through the system's loader.
void load_plugin(const std::string& path);

}  // namespace lra::harness

// Plugins that cannot be loaded, one for each LRA_HOSTILE.

#include <cstdlib>
#include <stdexcept>

#include "attention/plugin.h"

LRA_PLUGIN();

#if LRA_HOSTILE == 3
extern int defined_nowhere();  // NOLINT(readability-redundant-declaration)
#endif

namespace {

[[maybe_unused]] const int begun = [] {
#if LRA_HOSTILE == 1
  throw 42;
#elif LRA_HOSTILE == 2
  throw std::runtime_error("caf\xe9 of two\nlines");
#elif LRA_HOSTILE == 3
  return defined_nowhere();
#else
  std::exit(0);
#endif
  return 0;
}();

}  // namespace

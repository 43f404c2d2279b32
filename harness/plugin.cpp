#include "harness/plugin.h"

#include <dlfcn.h>

#include <string_view>

#include "attention/attention.h"
#include "attention/version.h"

namespace lra::harness {

void load_plugin(const std::string& path) {
  const std::size_t before = attention::registry().names().size();
  // A bare name would be searched for in the system's folders.
  const std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) fail(ErrorKind::usage, "--plugin {}: {}", path, ::dlerror());
  using Version = const char* (*)();
  const auto version = reinterpret_cast<Version>(::dlsym(library, "lra_plugin_built_against"));
  if (version == nullptr) {
    fail(ErrorKind::usage, "--plugin {}: not a plugin of lra: no LRA_PLUGIN(); in it", path);
  }
  if (std::string_view(version()) != LRA_ATTENTION_INTERFACE) {
    fail(ErrorKind::usage, "--plugin {}: built against '{}', expected '{}'; build it again", path,
         version(), LRA_ATTENTION_INTERFACE);
  }
  if (attention::registry().names().size() == before) {
    fail(ErrorKind::usage, "--plugin {}: registers no attention", path);
  }
}

}  // namespace lra::harness

#include "harness/cli/plugin.h"

#include <dlfcn.h>

#include <string>
#include <string_view>

#include "attention/attention.h"
#include "attention/plugin.h"
#include "engine/base/file.h"

namespace lra::harness {

namespace {

// What a plugin's file says that it was built against; empty if it says nothing. From the bytes of
// the file: to open the library is to run its initialisers, against whatever interface they expect.
std::string interface_of(const std::string& file) {
  const MappedFile map(file);
  const std::string_view bytes(reinterpret_cast<const char*>(map.bytes().data()),
                               map.bytes().size());
  const std::string_view mark = LRA_PLUGIN_MARK;
  const std::size_t at = bytes.find(mark);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = bytes.substr(at + mark.size());
  return std::string(rest.substr(0, rest.find('\0')));
}

void open_plugin(const std::string& file) {
  const std::string built_against = interface_of(file);
  if (built_against.empty()) {
    fail(ErrorKind::usage, "not a plugin of lra: no LRA_PLUGIN(); in it");
  }
  if (built_against != LRA_ATTENTION_INTERFACE) {
    fail(ErrorKind::usage, "built against '{}', expected '{}'; build it again", built_against,
         LRA_ATTENTION_INTERFACE);
  }
  const std::size_t before = attention::registry().names().size();
  if (::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
    fail(ErrorKind::usage, "{}", ::dlerror());
  }
  if (attention::registry().names().size() == before) {
    fail(ErrorKind::usage, "registers no attention");
  }
}

}  // namespace

void load_plugin(const std::string& path) {
  // A bare name would be searched for in the system's folders.
  const std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  try {
    open_plugin(file);
  } catch (const Error& error) {
    fail(ErrorKind::usage, "--plugin {}: {}", path, error.what());
  }
}

}  // namespace lra::harness

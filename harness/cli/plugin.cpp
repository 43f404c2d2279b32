#include "harness/cli/plugin.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>

#include "attention/attention.h"
#include "attention/plugin.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "harness/cli/output.h"
#include "tasks/task.h"

namespace lra::harness {

namespace {

// The interface that a plugin's file was built against; empty if it names none. Read from the bytes
// of the file, because opening the library would run its initialisers, whatever interface they
// expect.
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

// Whether [offset, offset + size) is within a file of `total` bytes.
bool inside(std::uint64_t offset, std::uint64_t size, std::uint64_t total) {
  return offset <= total && size <= total - offset;
}

// Throws unless all parts announced by an ELF file are present: the system's loader silently maps a
// truncated library and crashes (SIGBUS).
void check_whole(const std::string& file) {
  const MappedFile map(file);
  const auto bytes = map.bytes();
  ElfW(Ehdr) header{};
  bool whole = bytes.size() >= sizeof(header);
  if (whole) {
    std::memcpy(&header, bytes.data(), sizeof(header));
    whole =
        std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
        inside(header.e_shoff, std::uint64_t{header.e_shentsize} * header.e_shnum, bytes.size()) &&
        header.e_phentsize == sizeof(ElfW(Phdr)) &&
        inside(header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(ElfW(Phdr)), bytes.size());
  }
  for (std::size_t i = 0; whole && i < header.e_phnum; ++i) {
    ElfW(Phdr) part{};
    std::memcpy(&part, bytes.data() + header.e_phoff + i * sizeof(part), sizeof(part));
    whole = inside(part.p_offset, part.p_filesz, bytes.size());
  }
  if (!whole)
    fail(ErrorKind::data, "not a shared library, or truncated; got {} bytes", bytes.size());
}

std::string loading;  // the library that is being loaded

// The text of the current exception in one line, if it has one.
std::string text_thrown() {
  try {
    if (const auto exception = std::current_exception()) std::rethrow_exception(exception);
  } catch (const std::exception& error) {
    std::string text = valid_utf8(error.what());
    std::replace(text.begin(), text.end(), '\n', ' ');
    return ": " + shortened(text, 200);
  } catch (...) {  // anything may be thrown
  }
  return {};
}

[[noreturn]] void end_loading(const std::string& what) {
  cli::note("lra: --plugin {}: its initialiser {}\n", loading, what);
  std::_Exit(exit_code(ErrorKind::data));
}

// Exceptions must not unwind through the system's loader: some pass through with its lock held,
// others end the program.
[[noreturn]] void end_by_exception() { end_loading("threw an exception" + text_thrown()); }

// Called at the program's end, which an initialiser may have caused.
void end_by_exit() {
  if (!loading.empty()) end_loading("ended the program");
}

// Loads a library, which runs its initialisers: they may throw anything.
void* open_library(const std::string& file) {
  static const bool registered = std::atexit(&end_by_exit) == 0;
  static_cast<void>(registered);
  loading = file;
  const auto before = std::set_terminate(&end_by_exception);
  void* library = nullptr;
  // dlopen is declared noexcept, so a direct call would have no exception handler.
  void* (*volatile open)(const char*, int) = &::dlopen;
  try {
    library = open(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  } catch (...) {
    end_by_exception();
  }
  std::set_terminate(before);
  loading.clear();
  return library;
}

void open_plugin(const std::string& file) {
  check_whole(file);
  const std::string built_against = interface_of(file);
  if (built_against.empty()) {
    fail(ErrorKind::usage, "not a plugin of lra: no LRA_PLUGIN(); in it");
  }
  if (built_against != LRA_ATTENTION_INTERFACE) {
    fail(ErrorKind::usage, "built against '{}', expected '{}'; build it again", built_against,
         LRA_ATTENTION_INTERFACE);
  }
  const auto registered = [] {
    return attention::registry().names().size() + tasks::task_registry().names().size();
  };
  const std::size_t before = registered();
  if (open_library(file) == nullptr) {
    const char* reason = ::dlerror();
    fail(ErrorKind::data, "{}", reason == nullptr ? "cannot be loaded" : reason);
  }
  if (registered() == before) {
    fail(ErrorKind::usage, "registers no attention and no task");
  }
}

}  // namespace

void load_plugin(const std::string& path) {
  // The loader would search for a bare name in the system's folders.
  const std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  try {
    open_plugin(file);
  } catch (const Error& error) {
    fail(error.kind(), "--plugin {}: {}", path, error.what());
  }
}

}  // namespace lra::harness

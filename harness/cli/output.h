#pragma once
// The standard streams. Results go to stdout, everything else to stderr. A stderr that is closed,
// full, gone or not read never stops the program; a result that stdout does not take is a fault.

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace lra::harness::cli {

// Occupies descriptors 0 to 2 where the caller left them closed, so that no file of ours is opened
// as a standard stream, and turns a write into a broken pipe into an error in place of a death.
// Call it first.
void protect_streams();

// Writes to stdout; what fails is found by end_stdout().
void write_out(std::string_view text);
// Writes to stderr. Dropped where it cannot be written, and where nobody reads for a second.
void write_note(std::string_view text);

template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  write_out(fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void note(fmt::format_string<Args...> format, Args&&... args) {
  write_note(fmt::format(format, std::forward<Args>(args)...));
}

// Flushes stdout. Throws Error(io) if anything of it could not be written.
void end_stdout();

}  // namespace lra::harness::cli

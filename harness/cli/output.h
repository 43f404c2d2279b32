#pragma once
// The standard streams. Results go to stdout, everything else to stderr. A closed, full, broken or
// unread stderr never stops the program; a result that cannot be written to stdout is an error,
// except that the reader of a pipe may have read enough.

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace lra::harness::cli {

// Occupies descriptors 0 to 2 where the caller left them closed, so that no later file becomes a
// standard stream, and makes writing to a broken pipe an error instead of a fatal signal. Must be
// called first.
void protect_streams();

// Writes to stdout; end_stdout() reports a failed write.
void write_out(std::string_view text);
// Writes to stderr. The text is dropped if it cannot be written or the reader stalls for a second.
void write_note(std::string_view text);

template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  write_out(fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void note(fmt::format_string<Args...> format, Args&&... args) {
  write_note(fmt::format(format, std::forward<Args>(args)...));
}

// Flushes stdout. False if it is a pipe whose reader has gone (`lra list | head`). Throws Error(io)
// if any part could not be written for another reason.
[[nodiscard]] bool end_stdout();

}  // namespace lra::harness::cli

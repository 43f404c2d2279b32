#pragma once
// The one exception type of the project. A message reads `where: what; got X, expected Y[; try Z]`;
// the kind decides the program's exit code.

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lra {

enum class ErrorKind { usage, config, data, shape, numeric, backend, io };

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

// Throws Error(kind) with a message built by fmt.
template <class... Args>
[[noreturn]] void fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

// Exit code of the program for an error: 2 usage and config, 3 data and io, 4 numeric, 1 the rest.
[[nodiscard]] int exit_code(ErrorKind kind) noexcept;

// "unknown KIND 'NAME'; did you mean A, B? known: ..." for a name that is not among `known`.
[[nodiscard]] std::string unknown_name_message(std::string_view kind, std::string_view name,
                                               const std::vector<std::string>& known);

}  // namespace lra

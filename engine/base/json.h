#pragma once
// The only reader of JSON text, for untrusted or damaged files, and the only writer. Refused text
// is an error with file, line and column, never a crash: nesting beyond kMaxJsonDepth (later passes
// over the value are recursive), numbers beyond the range of a double, duplicate members of an
// object, invalid UTF-8, truncation, NaN and Infinity.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace lra {

inline constexpr int kMaxJsonDepth = 100;

// Parses JSON text; `where` (usually a path) starts the message of an error of the given kind: data
// for files written by the program, config for files that configure it. `line` is the number of the
// text's first line in its file.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, const std::string& where,
                                        ErrorKind kind, std::int64_t line = 1);
// Reads and parses a file. A file that cannot be read is Error(io).
[[nodiscard]] nlohmann::json read_json(const std::filesystem::path& path, ErrorKind kind);

// JSON text of a value, on one line or indented. Strings that are not UTF-8 (for example file
// names) get replacement characters; nothing is thrown.
[[nodiscard]] std::string json_text(const nlohmann::json& value, int indent = -1);

}  // namespace lra

#pragma once
// The one reader of JSON text, for files that anybody may have written or damaged, and the one
// writer. What a reader refuses is an error with file, line and column, never a crash: nesting
// beyond kMaxJsonDepth (later passes over the value are recursive), numbers beyond the range of a
// double, a member that stands twice in its object, invalid UTF-8, truncation, NaN and Infinity.

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "engine/base/error.h"

namespace lra {

inline constexpr int kMaxJsonDepth = 100;

// Parses JSON text; `where` (a path, as a rule) starts the message of an error of the given kind:
// data for files that the program wrote, config for files that state what it is to do.
[[nodiscard]] nlohmann::json parse_json(std::string_view text, const std::string& where,
                                        ErrorKind kind);
// Reads and parses a file. A file that cannot be read is Error(io).
[[nodiscard]] nlohmann::json read_json(const std::filesystem::path& path, ErrorKind kind);

// JSON text of a value, on one line or indented. Strings that are not UTF-8 (names of files, for
// one) get replacement characters; nothing is thrown.
[[nodiscard]] std::string json_text(const nlohmann::json& value, int indent = -1);

}  // namespace lra

#pragma once
// Untrusted text: file names are bytes, records and messages are UTF-8.

#include <string>
#include <string_view>

namespace lra {

// The length of the longest prefix that is valid UTF-8 (RFC 3629).
[[nodiscard]] std::size_t utf8_prefix(std::string_view bytes);

// The text with \xNN for each byte that is not part of valid UTF-8.
[[nodiscard]] std::string valid_utf8(std::string_view bytes);

// At most `limit` bytes of a text for a message, followed by "..." if shortened.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t limit = 80);

// A number for a message; "NaN" whatever the sign bit.
[[nodiscard]] std::string number_text(double value);

}  // namespace lra

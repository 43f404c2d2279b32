#pragma once
// The examples that a model answered right, in the form of a record: hexadecimal digits of the
// bits, four examples per digit, the first example in the highest bit, zeros after the last.
// Python: [int(d, 16) >> 3 - i & 1 for d in text for i in range(4)][:count].

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lra::results {

[[nodiscard]] std::string encode_answers(const std::vector<bool>& right);
// Empty if `text` does not contain exactly `count` answers.
[[nodiscard]] std::optional<std::vector<bool>> decode_answers(std::string_view text,
                                                              std::int64_t count);

}  // namespace lra::results

#pragma once
// Text as bytes, as in the arena's text and retrieval tasks: id = byte + 1, 0 is padding.

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks {

inline constexpr std::int64_t kByteVocabulary = 257;

// Replaces `tokens` by the first `max_length` bytes of a text. Any byte is legal.
inline void byte_tokens(std::string_view text, std::int64_t max_length,
                        std::vector<Token>& tokens) {
  text = text.substr(0, static_cast<std::size_t>(max_length));
  tokens.resize(text.size());
  std::transform(text.begin(), text.end(), tokens.begin(),
                 [](char c) { return static_cast<Token>(static_cast<unsigned char>(c) + 1); });
}

}  // namespace lra::tasks

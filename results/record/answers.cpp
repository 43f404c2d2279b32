#include "results/record/answers.h"

#include <cstddef>

namespace lra::results {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

}  // namespace

std::string encode_answers(const std::vector<bool>& right) {
  std::string text((right.size() + 3) / 4, '0');
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (!right[i]) continue;
    char& digit = text[i / 4];
    digit = kDigits[kDigits.find(digit) | (std::size_t{8} >> (i % 4))];
  }
  return text;
}

std::optional<std::vector<bool>> decode_answers(std::string_view text, std::int64_t count) {
  if (count < 0) return std::nullopt;
  const auto size = static_cast<std::size_t>(count);
  if (text.size() != (size + 3) / 4) return std::nullopt;
  std::vector<bool> right(4 * text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t digit = kDigits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    for (std::size_t bit = 0; bit < 4; ++bit) right[4 * i + bit] = (digit >> (3 - bit) & 1U) != 0;
  }
  for (std::size_t i = size; i < right.size(); ++i) {
    if (right[i]) return std::nullopt;
  }
  right.resize(size);
  return right;
}

}  // namespace lra::results

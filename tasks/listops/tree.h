#pragma once
// ListOps expressions (Nangia and Bowman 2018, arXiv 1804.06028; operators as in the arena's
// generator, google-research/long-range-arena, data/listops.py) as token sequences.
//
// The vocabulary is fixed: 0 padding, 1..4 the operators, 5 the end bracket, 6..15 the digits. A
// tree is written as its operators' opening tokens, digits and end brackets: [MAX 3 [MIN 7 2 ] ].

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks::listops {

inline constexpr Token kMin = 1, kMax = 2, kMed = 3, kSumMod = 4, kEnd = 5, kDigit0 = 6;
inline constexpr std::int64_t kVocabulary = 16;

[[nodiscard]] constexpr bool is_operator(Token token) { return token >= kMin && token <= kSumMod; }
[[nodiscard]] constexpr bool is_digit(Token token) {
  return token >= kDigit0 && token < kDigit0 + 10;
}
// "[MIN", "[MAX", "[MED", "[SM", "]", "0".."9"; "<pad>" for 0.
[[nodiscard]] std::string_view token_text(Token token);

// Largest number of arguments of a list; the arena's lists have at most 10.
inline constexpr std::size_t kMaxArguments = 31;

// The arguments of a list, as far as its value needs them: a histogram of ten fields of 6 bits and
// the sum. At most kMaxArguments digits may be added.
class Arguments {
 public:
  void add(int digit) {
    histogram_ += std::uint64_t{1} << (6U * static_cast<unsigned>(digit));
    sum_ += static_cast<std::uint32_t>(digit);
    ++count_;
  }
  [[nodiscard]] std::uint32_t count() const { return count_; }
  // Least, greatest, median (the mean of the middle two, truncated, for an even count) or sum
  // modulo 10. Not without arguments.
  [[nodiscard]] int value(Token op) const;

 private:
  [[nodiscard]] int at_rank(std::uint32_t rank) const;
  std::uint64_t histogram_ = 0;
  std::uint32_t sum_ = 0;
  std::uint32_t count_ = 0;
};

// Typical value of a sub-list for a predictor that does not compute it: MIN 0, MAX 9, MED 5, SM 0.
[[nodiscard]] int typical_value(Token op);

// Value of a tree. `depth` levels of operators are computed; an operator below them counts as its
// typical value (depth 1: only the root is computed). Sequences that were cut end all open lists;
// a list without arguments counts as typical. Throws Error(data) for a sequence that is not a tree
// or has more than kMaxArguments in a list.
inline constexpr int kWholeTree = 1 << 30;
[[nodiscard]] int evaluate(std::span<const Token> tree, int depth = kWholeTree);

// Appends the official written form of a well-formed tree: each application as left-nested pairs,
// e.g. `( ( ( [MAX 3 ) 7 ) ] )`; 3 n - 2 words for n tokens.
void append_source(std::span<const Token> tree, std::string& text);

// The tree of an official source. Throws Error(data), beginning with `where`, for unknown words,
// brackets that do not nest as the official form does, and an operator with fewer than 2 or more
// than `max_args` arguments.
void parse_source(std::string_view source, std::size_t max_args, std::string_view where,
                  std::vector<Token>& tree);

}  // namespace lra::tasks::listops

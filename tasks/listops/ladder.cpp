#include "tasks/listops/ladder.h"

#include "tasks/listops/tree.h"
#include "tasks/shortcuts.h"

namespace lra::tasks::listops {

int direct_digits_value(std::span<const Token> tree) {
  if (tree.empty() || !is_operator(tree[0])) return tree.empty() ? 0 : evaluate(tree);
  Arguments digits;
  std::size_t depth = 0;
  for (const Token token : tree) {
    if (is_operator(token)) ++depth;
    if (token == kEnd) --depth;
    if (is_digit(token) && depth == 1) digits.add(token - kDigit0);
  }
  return digits.count() == 0 ? typical_value(tree[0]) : digits.value(tree[0]);
}

std::vector<Predictor> ladder(bool brackets) {
  std::vector<Predictor> rungs;
  rungs.push_back(majority_class());
  rungs.push_back(majority_given(
      "majority_given_root", "the most frequent label of train for the root operator",
      static_cast<std::size_t>(kVocabulary), [](const Example& example) {
        return example.tokens.empty() ? std::size_t{0} : std::size_t{example.tokens[0]};
      }));
  if (!brackets) return rungs;
  rungs.push_back(rule("root_direct_digits",
                       "the root operator on its direct digits, sub-lists ignored",
                       [](const Example& e) { return direct_digits_value(e.tokens); }));
  rungs.push_back(rule("root_typical_sublists",
                       "the root operator, each direct sub-list as its operator's typical value",
                       [](const Example& e) { return evaluate(e.tokens, 1); }));
  rungs.push_back(rule("two_levels_typical_sublists",
                       "two levels of operators, each sub-list below as its typical value",
                       [](const Example& e) { return evaluate(e.tokens, 2); }));
  return rungs;
}

}  // namespace lra::tasks::listops

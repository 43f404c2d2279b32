#include "tasks/listops/tree.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tasks/listops/generator.h"
#include "tasks/listops/ladder.h"
#include "tasks/test_support.h"

using lra::ErrorKind;
using lra::testing::ContainsSubstring;
using namespace lra::tasks;
using namespace lra::tasks::listops;

namespace {

// A second evaluator, of the written form: recursive, on words, with a sorted list.
class TextEvaluator {
 public:
  explicit TextEvaluator(std::string_view source) {
    std::string word;
    for (const char c : source) {
      if (c == '(' || c == ')') continue;
      if (c != ' ') {
        word += c;
      } else if (!word.empty()) {
        words_.push_back(std::exchange(word, ""));
      }
    }
    if (!word.empty()) words_.push_back(word);
  }
  int value() {
    const std::string word = words_.at(at_++);
    if (word[0] != '[') return std::stoi(word);
    std::vector<int> arguments;
    while (words_.at(at_) != "]") arguments.push_back(value());
    ++at_;
    std::sort(arguments.begin(), arguments.end());
    const std::size_t n = arguments.size();
    if (word == "[MIN") return arguments.front();
    if (word == "[MAX") return arguments.back();
    if (word == "[MED") {
      return n % 2 == 1 ? arguments[n / 2] : (arguments[n / 2 - 1] + arguments[n / 2]) / 2;
    }
    int sum = 0;
    for (const int x : arguments) sum += x;
    return sum % 10;
  }

 private:
  std::vector<std::string> words_;
  std::size_t at_ = 0;
};

std::vector<Token> parse(const std::string& source, std::size_t max_args = 10) {
  std::vector<Token> tree;
  parse_source(source, max_args, "f:1", tree);
  return tree;
}

std::string why(const std::string& source) {
  return testing::error_of([&] { static_cast<void>(parse(source)); });
}

}  // namespace

TEST_CASE("listops: the fixed vocabulary keeps the end bracket", "[unit]") {
  const auto tree = parse("( ( ( ( [MAX 3 ) ( ( ( [MED 0 ) 9 ) ] ) ) 7 ) ] )");
  CHECK(tree == std::vector<Token>{2, 9, 3, 6, 15, 5, 13, 5});
  CHECK(token_text(5) == "]");
  CHECK(token_text(4) == "[SM");
}

TEST_CASE("listops: values, even medians truncate", "[unit]") {
  CHECK(evaluate(parse("( ( ( [MED 1 ) 4 ) ] )")) == 2);
  CHECK(evaluate(parse("( ( ( ( [MED 9 ) 1 ) 4 ) ] )")) == 4);
  CHECK(evaluate(parse("( ( ( ( [SM 9 ) 9 ) 4 ) ] )")) == 2);
  CHECK(evaluate(parse("( ( ( ( [MIN 9 ) 3 ) 4 ) ] )")) == 3);
  CHECK(evaluate(parse("( ( ( ( [MAX 9 ) 3 ) 4 ) ] )")) == 9);
  CHECK(evaluate(parse("7")) == 7);
  // With 31 arguments, the most that a list may have.
  std::vector<Token> many{kMed};
  for (int i = 0; i < 31; ++i) many.push_back(static_cast<Token>(kDigit0 + (i < 15 ? 9 : 4)));
  many.push_back(kEnd);
  CHECK(evaluate(many) == 4);
  many.insert(many.begin() + 1, kDigit0);
  CHECK_THROWS_WITH(evaluate(many), ContainsSubstring("got 32, expected at most 31"));
}

TEST_CASE("listops: nesting deeper than usual is evaluated", "[unit]") {
  std::vector<Token> tree;
  for (int i = 0; i < 1000; ++i) tree.insert(tree.end(), {kMax, kDigit0 + 1});
  tree.push_back(kDigit0 + 3);
  for (int i = 0; i < 1000; ++i) tree.push_back(kEnd);
  CHECK(evaluate(tree) == 3);
  tree.resize(1500);  // a cut sequence ends all its lists
  CHECK(evaluate(tree) == 1);
}

TEST_CASE("listops: written form and evaluator agree with a second implementation", "[unit]") {
  Shape shape;
  shape.min_tokens = 1;
  shape.max_tokens = 400;
  const Generator generator(3, Split::train, shape);
  Row row;
  std::vector<Token> again;
  std::size_t wrong = 0;
  for (std::uint64_t i = 0; i < 100000; ++i) {
    generator.make(i, 0, i < 2000, row);
    if (!row.line.empty()) {
      const std::string source = row.line.substr(0, row.line.find('\t'));
      parse_source(source, 10, "row", again);
      CHECK(again == row.tree);
      const auto words = 1 + std::count(source.begin(), source.end(), ' ');
      CHECK(words == 3 * static_cast<std::ptrdiff_t>(row.tree.size()) - 2);
      CHECK(row.line.ends_with("\r\n"));
    }
    std::string flat;
    for (const Token token : row.tree) flat += std::string(token_text(token)) + " ";
    if (TextEvaluator(flat).value() != row.label) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("listops: sources that are not the official form are refused", "[unit]") {
  CHECK_THAT(why("( ( ( [MAX 3 ) 7 ) ]"),
             ContainsSubstring("f:1: word 9: brackets are not balanced"));
  CHECK_THAT(why("( ( ( [MAX 3 ) 7 ) ] ) )"), ContainsSubstring("words after the end"));
  CHECK_THAT(why("( ( ( [MAX 3 ) ] )"), ContainsSubstring("got ']' after 1 arguments, expected 2"));
  CHECK_THAT(why("( ( ( [MAX 3 ) 7 ) 8 ) ] )"), ContainsSubstring("expected ']'"));
  CHECK_THAT(why("( ( [MAX 3 ) ] )"), ContainsSubstring("number of arguments of [MAX; got 1"));
  CHECK_THAT(why("( ( ( ( ( ( ( ( ( ( ( ( [MAX 3"), ContainsSubstring("got 11, expected 2..10"));
  CHECK_THAT(why("( ( ( [FIRST 3 ) 7 ) ] )"), ContainsSubstring("unknown word; got '[FIRST'"));
  CHECK_THAT(why("( ( ( [MAX 3 )  7 ) ] )"), ContainsSubstring("unknown word"));
  CHECK_THAT(why(std::string("( ( ( [MAX 3 ) \0 ) ] )", 23)), ContainsSubstring("'\\x00'"));
  CHECK_THAT(why("( ( 3 ) 7 )"), ContainsSubstring("expected an operator after '('"));
  CHECK_THAT(why("[MAX 3 7 ]"), ContainsSubstring("without opening brackets"));
  CHECK_THAT(why("]"), ContainsSubstring("not balanced"));
  CHECK_THAT(why(""), ContainsSubstring("the end of the source"));
  CHECK(parse("( ( ( [MAX 3 ) 7 ) ] )", 2).size() == 4);
}

TEST_CASE("listops: rungs of the shortcut ladder on one tree", "[unit]") {
  // [MAX 3 [MIN 7 [SM 4 4 ] ] [MED 1 2 ] ]: direct digits 3; typical 0 and 5; one deeper 0 and 1.
  const auto tree = parse(
      "( ( ( ( [MAX 3 ) ( ( ( [MIN 7 ) ( ( ( [SM 4 ) 4 ) ] ) ) ] ) ) ( ( ( [MED 1 ) 2 ) ] ) ) ] )");
  CHECK(direct_digits_value(tree) == 3);
  CHECK(evaluate(tree, 1) == 5);
  CHECK(evaluate(tree, 2) == 3);
  CHECK(evaluate(tree) == 7);
  CHECK(direct_digits_value(
            parse("( ( ( [MED ( ( ( [SM 4 ) 4 ) ] ) ) ( ( ( [SM 4 ) 4 ) ] ) ) ] )")) == 5);
}

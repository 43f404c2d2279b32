#include "tasks/listops/tree.h"

#include <array>
#include <bit>
#include <cstring>

#include "engine/base/error.h"
#include "tasks/io/lines.h"

namespace lra::tasks::listops {
namespace {

constexpr std::array<std::string_view, kVocabulary> kText{
    "<pad>", "[MIN", "[MAX", "[MED", "[SM", "]", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

constexpr std::uint64_t kOnes = 0x0041041041041041U;   // 1 in each of the ten fields of 6 bits
constexpr std::uint64_t kHighs = 0x0820820820820820U;  // the highest bit of each

struct OpenList {
  Token op = 0;
  Arguments arguments;
};

// The number of arguments of each operator, in the order of the operators.
std::vector<std::uint32_t> count_arguments(std::span<const Token> tree) {
  std::vector<std::uint32_t> counts(tree.size() + 1);  // the first is for the root
  std::vector<std::uint32_t> open(tree.size() + 1);
  std::uint32_t operators = 0;
  std::size_t nested = 0;
  for (const Token token : tree) {
    if (token == kEnd) {
      --nested;
      continue;
    }
    ++counts[open[nested]];
    if (is_operator(token)) open[++nested] = ++operators;
  }
  counts.erase(counts.begin());
  counts.resize(operators);
  return counts;
}

// Splits at single spaces.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text), more_(!text.empty()) {}
  bool next(std::string_view& word) {
    if (!more_) return false;
    const std::size_t space = rest_.find(' ');
    word = rest_.substr(0, space);
    more_ = space != std::string_view::npos;
    if (more_) rest_.remove_prefix(space + 1);
    ++number_;
    return true;
  }
  [[nodiscard]] std::size_t number() const { return number_; }

 private:
  std::string_view rest_;
  bool more_;
  std::size_t number_ = 0;
};

Token token_of(std::string_view word) {
  if (word.size() == 1 && word[0] >= '0' && word[0] <= '9') {
    return static_cast<Token>(kDigit0 + (word[0] - '0'));
  }
  for (Token token = kMin; token <= kEnd; ++token) {
    if (kText[token] == word) return token;
  }
  return 0;
}

// Reads the official form. `state_` determines the next allowed word; `open_` holds, for each open
// list, the number of arguments announced by its opening brackets and the number read.
class SourceParser {
 public:
  SourceParser(std::string_view source, std::size_t max_args, std::string_view where,
               std::vector<Token>& tree)
      : words_(source), max_args_(max_args), where_(where), tree_(tree) {}

  void parse() {
    std::string_view word;
    while (words_.next(word)) step(word);
    if (state_ != State::done) wrong("brackets are not balanced; got the end of the source", {});
  }

 private:
  enum class State { value, pair_end, last_pair_end, done };
  struct Frame {
    std::size_t announced, seen;
  };

  [[noreturn]] void wrong(std::string_view what, std::string_view word) const {
    const std::string got = word.empty() ? "" : fmt::format("; got '{}'", printable(word));
    fail(ErrorKind::data, "{}: word {}: {}{}", where_, words_.number(), what, got);
  }

  void step(std::string_view word) {
    switch (state_) {
      case State::value:
        return value(word);
      case State::pair_end:
        if (word != ")") wrong("expected ')' after an argument", word);
        ++open_.back().seen;
        state_ = State::value;
        return;
      case State::last_pair_end:
        if (word != ")") wrong("expected ')' after ']'", word);
        open_.pop_back();
        return after_value();
      case State::done:
        wrong("words after the end of the expression", word);
    }
  }

  void value(std::string_view word) {
    if (word == "(") {
      ++brackets_;
      return;
    }
    const Token token = token_of(word);
    if (token == 0) wrong("unknown word", word);
    if (brackets_ > 0) return operation(token, word);
    if (token == kEnd) return end(word);
    if (!is_digit(token)) wrong("an operator without opening brackets", word);
    if (!open_.empty() && open_.back().seen == open_.back().announced) {
      wrong("brackets are not balanced: expected ']'", word);
    }
    tree_.push_back(token);
    after_value();
  }

  // The brackets before an operator announce one pair per argument and one for the end bracket.
  void operation(Token token, std::string_view word) {
    if (!is_operator(token)) wrong("expected an operator after '('", word);
    if (!open_.empty() && open_.back().seen == open_.back().announced) {
      wrong("brackets are not balanced: expected ']'", word);
    }
    const std::size_t arguments = brackets_ - 1;
    if (arguments < 2 || arguments > max_args_) {
      fail(ErrorKind::data, "{}: word {}: number of arguments of {}; got {}, expected 2..{}",
           where_, words_.number(), word, arguments, max_args_);
    }
    brackets_ = 0;
    open_.push_back({arguments, 0});
    tree_.push_back(token);
  }

  void end(std::string_view word) {
    if (open_.empty()) wrong("brackets are not balanced", word);
    const Frame& frame = open_.back();
    if (frame.seen != frame.announced) {
      fail(ErrorKind::data,
           "{}: word {}: brackets are not balanced; got ']' after {} arguments, expected {}",
           where_, words_.number(), frame.seen, frame.announced);
    }
    tree_.push_back(kEnd);
    state_ = State::last_pair_end;
  }

  void after_value() { state_ = open_.empty() ? State::done : State::pair_end; }

  Words words_;
  std::size_t max_args_;
  std::string_view where_;
  std::vector<Token>& tree_;
  std::vector<Frame> open_;
  std::size_t brackets_ = 0;
  State state_ = State::value;
};

}  // namespace

std::string_view token_text(Token token) { return kText.at(token); }

// The digit at a rank of the sorted arguments. Multiplying sums the fields up to each; a field
// whose sum exceeds the rank carries into its highest bit (sums and ranks are below 32).
int Arguments::at_rank(std::uint32_t rank) const {
  const std::uint64_t sums = histogram_ * kOnes;
  return std::countr_zero((sums + (31 - rank) * kOnes) & kHighs) / 6;
}

// Computes all four without branches, because the operator is unpredictable.
int Arguments::value(Token op) const {
  const std::array<int, 4> values{
      std::countr_zero(histogram_) / 6, (63 - std::countl_zero(histogram_)) / 6,
      (at_rank((count_ - 1) / 2) + at_rank(count_ / 2)) / 2, static_cast<int>(sum_ % 10)};
  return values[static_cast<std::size_t>(op - kMin)];
}

int typical_value(Token op) {
  switch (op) {
    case kMax:
      return 9;
    case kMed:
      return 5;
    default:
      return 0;
  }
}

int evaluate(std::span<const Token> tree, int depth) {
  std::array<OpenList, 64> shallow;
  std::vector<OpenList> deep;
  std::span<OpenList> open = shallow;
  std::size_t nested = 0;  // open[0] collects the root's value
  const auto close = [&] {
    const OpenList& list = open[nested];
    const bool computed = static_cast<int>(nested) <= depth && list.arguments.count() > 0;
    if (list.arguments.count() > kMaxArguments) {
      fail(ErrorKind::data, "listops: arguments of a list; got {}, expected at most {}",
           list.arguments.count(), kMaxArguments);
    }
    const int value = computed ? list.arguments.value(list.op) : typical_value(list.op);
    open[--nested].arguments.add(value);
  };
  for (const Token token : tree) {
    if (is_digit(token)) {
      open[nested].arguments.add(token - kDigit0);
    } else if (is_operator(token)) {
      if (++nested == open.size()) {
        deep.assign(open.begin(), open.end());
        deep.resize(tree.size() + 1);
        open = deep;
      }
      open[nested] = {token, {}};
    } else if (token == kEnd && nested > 0) {
      close();
    } else {
      fail(ErrorKind::data, "listops: token outside of trees; got {}", token);
    }
  }
  while (nested > 0) close();
  const Arguments& root = open[0].arguments;
  if (root.count() != 1) {
    fail(ErrorKind::data, "listops: not one tree; got {} values", root.count());
  }
  return root.value(kMax);
}

void append_source(std::span<const Token> tree, std::string& text) {
  const std::vector<std::uint32_t> arguments = count_arguments(tree);
  // 3 n - 2 words, each with a space; all but the operators (4 characters) are of one character.
  // Eight bytes are stored at a time and overlap: room for them at the end.
  const std::size_t before = text.size();
  text.resize(before + 6 * tree.size() + 3 * arguments.size() + 8);
  char* at = text.data() + before;
  const auto put = [&at](const char(&eight)[9], std::size_t used) {
    std::memcpy(at, eight, 8);
    at += used;
  };
  std::size_t next = 0;
  std::size_t depth = 0;
  for (const Token token : tree) {
    if (is_operator(token)) {
      std::uint32_t brackets = arguments[next++] + 1;
      for (; brackets > 4; brackets -= 4) put("( ( ( ( ", 8);
      put("( ( ( ( ", std::size_t{2} * brackets);
      std::memcpy(at, kText[token].data(), kText[token].size());
      at += kText[token].size();
      *at++ = ' ';
      ++depth;
      continue;
    }
    // A value and, if it was an argument, the end of its pair.
    if (token == kEnd) {
      --depth;
      put("] ) )   ", depth > 0 ? 6 : 4);
    } else {
      put("0 )     ", depth > 0 ? 4 : 2);
      at[depth > 0 ? -4 : -2] = static_cast<char>('0' + (token - kDigit0));
    }
  }
  text.resize(static_cast<std::size_t>(at - text.data()) - 1);  // no space at the end
}

void parse_source(std::string_view source, std::size_t max_args, std::string_view where,
                  std::vector<Token>& tree) {
  tree.clear();
  SourceParser(source, max_args, where, tree).parse();
}

}  // namespace lra::tasks::listops

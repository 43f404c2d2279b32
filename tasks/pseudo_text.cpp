#include "tasks/pseudo_text.h"

#include <cctype>
#include <set>
#include <utility>

namespace lra::tasks {

std::vector<std::string> pseudo_words(std::string_view name, std::size_t count,
                                      const std::vector<std::string>& syllables) {
  RandomStream random(RandomKey(0).of("pseudo words").of(name));
  const auto choices = static_cast<std::uint32_t>(syllables.size());
  std::set<std::string> known;
  std::vector<std::string> words;
  while (words.size() < count) {
    std::string word;
    const std::uint32_t length = 2 + random.below(2);
    for (std::uint32_t i = 0; i < length; ++i) word += syllables[random.below(choices)];
    if (known.insert(word).second) words.push_back(word);
  }
  return words;
}

const std::vector<std::string>& filler_words() {
  static const std::vector<std::string> words =
      pseudo_words("filler", 400, {"ta", "ne", "si",  "ro", "ka",  "len", "di", "mo", "su", "par",
                                   "ti", "ra", "con", "el", "per", "ma",  "an", "to", "in", "ser"});
  return words;
}

void Prose::add(std::string_view word) {
  const bool first = words_in_sentence_ == 0;
  if (!text_.empty()) text_ += ' ';
  const std::size_t at = text_.size();
  text_ += word;
  if (first) text_[at] = static_cast<char>(std::toupper(static_cast<unsigned char>(text_[at])));
  if (++words_in_sentence_ < 5 || random_.below(8) != 0) return;
  text_ += '.';
  words_in_sentence_ = 0;
  if (breaks_ && random_.below(10) == 0) text_ += "<br /><br />";
}

std::string Prose::finish() {
  if (words_in_sentence_ > 0) text_ += '.';
  words_in_sentence_ = 0;
  return std::exchange(text_, {});
}

}  // namespace lra::tasks

#pragma once
// Words of artificial languages, for stand-in data: deterministic, pronounceable, distinguished by
// their syllables. Not installed.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/random.h"

namespace lra::tasks {

// `count` different words of two or three syllables of the given ones. The same for every seed of
// a data set: the language is a constant, texts in it are not.
[[nodiscard]] std::vector<std::string> pseudo_words(std::string_view name, std::size_t count,
                                                    const std::vector<std::string>& syllables);

// Words of everyday use, without any meaning for a label.
[[nodiscard]] const std::vector<std::string>& filler_words();

// Appends words to a text: spaces between them, a capital at a sentence's beginning, a full stop
// after some 12 words, now and then a "<br /><br />" like the one in film reviews.
class Prose {
 public:
  Prose(RandomStream& random, bool breaks) : random_(random), breaks_(breaks) {}
  void add(std::string_view word);
  [[nodiscard]] std::string finish();
  [[nodiscard]] std::size_t size() const { return text_.size(); }

 private:
  RandomStream& random_;
  bool breaks_;
  std::string text_;
  std::size_t words_in_sentence_ = 0;
};

}  // namespace lra::tasks

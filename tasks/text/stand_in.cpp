#include "tasks/text/stand_in.h"

#include <algorithm>
#include <cmath>

#include "tasks/pseudo_text.h"

namespace lra::tasks::text {
namespace {

const std::vector<std::string>& sentiment_words(std::int32_t label) {
  static const std::vector<std::string> praise =
      pseudo_words("praise", 40, {"glo", "bri", "lu", "joy", "vi", "fee"});
  static const std::vector<std::string> blame =
      pseudo_words("blame", 40, {"dru", "gri", "zo", "murk", "ug", "woe"});
  return label == 1 ? praise : blame;
}

}  // namespace

Review stand_in_review(std::uint64_t seed, Split split, std::uint64_t index) {
  RandomStream random(
      RandomKey(seed).of("text stand-in").of(kStandInVersion).of(split_name(split)).of(index));
  Review review;
  review.split = split;
  review.label = static_cast<std::int32_t>(random.below(2));
  const double bytes = std::clamp(1000 * std::exp(0.6 * random.normal()), 200.0, 6000.0);
  const double share = 0.65 + 0.25 * random.uniform();
  Prose prose(random, true);
  std::int64_t surplus = 0;  // words of the label's kind over those of the other
  // The text ends at its length, but not before the label's kind is in the majority.
  while (static_cast<double>(prose.size()) < bytes || surplus <= 0) {
    if (random.below(6) != 0) {
      const auto& words = filler_words();
      prose.add(words[random.below(static_cast<std::uint32_t>(words.size()))]);
      continue;
    }
    const bool same = random.uniform() < share;
    const auto& words = sentiment_words(same ? review.label : 1 - review.label);
    prose.add(words[random.below(static_cast<std::uint32_t>(words.size()))]);
    surplus += same ? 1 : -1;
  }
  review.content = prose.finish();
  return review;
}

}  // namespace lra::tasks::text

#include "tasks/baselines/texts.h"

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tasks/shortcuts.h"
#include "tasks/test_support.h"

namespace lra::tasks::baselines {
namespace {

using testing::TempFolder;

std::set<std::string> ngrams(const Example& example) {
  std::string text;
  for (const Token token : example.tokens) text += static_cast<char>(token - 1);
  std::set<std::string> all;
  for (std::size_t n = 1; n <= 5; ++n) {
    for (std::size_t i = 0; i + n <= text.size(); ++i) all.insert(text.substr(i, n));
  }
  return all;
}

TEST_CASE("text baselines: naive Bayes is that of sets of strings, regression learns", "[unit]") {
  const TempFolder folder;
  const testing::Variable no_data("LRA_DATA", "");
  const testing::Variable no_cache("XDG_CACHE_HOME", folder.path() / "none");
  OpenOptions options = testing::options_for("", folder.path() / "cache");
  options.counts = {150, 1, 60};
  const auto task = create_task("text", {{"max_length", 300}});
  const TaskData data = task->open(options);
  std::map<std::string, Shortcut> named;
  for (const auto& s : shortcuts(*task, data)) named[s.name] = s;
  REQUIRE(named.size() == 4);

  std::array<std::map<std::string, double>, 2> counts;
  std::array<double, 2> texts{}, tokens{};
  const auto& train = data.split(Split::train);
  for (std::size_t i = 0; i < train.size(); ++i) {
    const auto label = static_cast<std::size_t>(train[i].label);
    for (const auto& ngram : ngrams(train[i])) {
      ++counts[label][ngram];
      ++tokens[label];
    }
    ++texts[label];
  }
  const auto& test = data.split(Split::test);
  std::size_t same = 0;
  for (std::size_t i = 0; i < test.size(); ++i) {
    std::array<double, 2> score{};
    for (std::size_t k = 0; k < 2; ++k) {
      score[k] = std::log(texts[k] + 1);
      for (const auto& ngram : ngrams(test[i])) {
        score[k] += std::log((counts[k][ngram] + 1) / (tokens[k] + (1 << 20)));
      }
    }
    same += named["ngram_naive_bayes"].predictions[i] == (score[1] > score[0] ? 1 : 0) ? 1 : 0;
  }
  CHECK(same + 1 >= test.size());  // n-grams that share a feature may turn one that is close
  CHECK(named["ngram_logistic"].accuracy > 0.75);
  CHECK(named["ngram_naive_bayes"].accuracy > 0.75);
}

}  // namespace
}  // namespace lra::tasks::baselines

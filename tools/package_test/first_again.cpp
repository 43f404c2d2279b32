// Does the first letter occur again? An example of a user-defined task: N letters of an alphabet of
// A; in class 1 the first letter is at one more place, in class 0 at none. Ids: letters 1..A.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/random.h"
#include "tasks/shortcuts.h"
#include "tasks/task.h"

namespace {

using namespace lra::tasks;

constexpr std::array<std::int64_t, 3> kCounts{20000, 1000, 1000};  // train, val, test by default

class FirstAgain final : public Task {
 public:
  [[nodiscard]] TaskInfo info() const override {
    TaskInfo info;
    info.name = "first_again";
    info.title = "First again";
    info.cite = "an example";
    info.source = {.examples = "letters; is the first there again",
                   .origin = "generated",
                   .counts = {20000, 1000, 1000},
                   .command = "generated at first use",
                   .otherwise = ""};
    info.classes = 2;
    info.vocabulary = letters_ + 1;
    info.max_length = length_;
    info.length_axis = {"length"};
    return info;
  }

  void options(lra::OptionTable& t) override {
    t.integer("letters", letters_, 2, 60000, "A").integer("length", length_, 2, 1 << 20, "N");
  }

  [[nodiscard]] Source find(const OpenOptions& options) const override {
    Source source;
    source.identity =
        nlohmann::json{letters_, length_, options.seed, wanted_counts(options, kCounts)}.dump();
    return source;
  }

  [[nodiscard]] Reading read(const Source&, const OpenOptions& options,
                             ExampleSink& sink) const override {
    const auto counts = wanted_counts(options, kCounts);
    const lra::RandomKey key = lra::RandomKey(options.seed).of("first_again");
    for (const Split split : kSplits) {
      for (std::int64_t i = 0; i < counts[split_index(split)]; ++i) {
        lra::RandomStream random(key.of(split_name(split)).of(static_cast<std::uint64_t>(i)));
        const auto A = static_cast<std::uint32_t>(letters_);
        std::vector<Token> tokens(static_cast<std::size_t>(length_));
        tokens[0] = static_cast<Token>(1 + random.below(A));
        for (std::size_t n = 1; n < tokens.size(); ++n) {  // one of the A - 1 others
          tokens[n] = static_cast<Token>(1 + (tokens[0] + random.below(A - 1)) % A);
        }
        Example example;
        example.tokens = tokens;
        example.label = static_cast<std::int32_t>(random.below(2));
        const auto place = 1 + random.below(static_cast<std::uint32_t>(length_ - 1));
        if (example.label == 1) tokens[place] = tokens[0];
        sink.add(split, example);
      }
    }
    return {lra::Origin::generated, fmt::format("First again: seed {}", options.seed), nullptr};
  }

  [[nodiscard]] std::vector<Predictor> predictors() const override {
    return {majority_class(), rule("solution", "whether it is there again", [](const Example& e) {
              return static_cast<std::int32_t>(
                  std::count(e.tokens.begin() + 1, e.tokens.end(), e.tokens[0]));
            })};
  }

 private:
  std::int64_t letters_ = 50;
  std::int64_t length_ = 256;
};

LRA_TASK(first_again, FirstAgain);

}  // namespace

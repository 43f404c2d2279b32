// Needle recall over bytes, after Hsieh et al. 2024, "RULER", arXiv 2404.06654, section 3.1, at the
// level of bytes: a key and its value stand somewhere in a haystack of text, and the sequence ends
// with the key. Needle `#kk=vv;`, key and value of two letters each, at a uniform place; so do the
// needles of other keys that distract. The end is `?kk=v`: the labels at its last two positions are
// the value's letters. Haystack: a second-order Markov chain over letters and blank, whose table is
// the same for all seeds. Ids: byte + 1.

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include "engine/base/error.h"
#include "tasks/probes/probe_task.h"

namespace lra::tasks {
namespace {

constexpr std::string_view kSymbols = "abcdefghijklmnopqrstuvwxyz ";
constexpr std::uint32_t kLetters = 26;
constexpr std::int64_t kNeedle = 7;    // bytes of #kk=vv;
constexpr std::int64_t kQuestion = 5;  // and of ?kk=v
constexpr std::int64_t kMostNeedles = 300;

// Cumulative probabilities of the next symbol after each pair of symbols.
class Chain {
 public:
  Chain() : rows_(kSymbols.size() * kSymbols.size() * kSymbols.size()) {
    constexpr double kSpread = 2;  // of the logarithms of the weights: some pairs are common
    RandomStream random(RandomKey(0).of("tasks/needle chain"));
    for (std::size_t pair = 0; pair < rows_.size() / kSymbols.size(); ++pair) {
      double* row = &rows_[pair * kSymbols.size()];
      double sum = 0;
      for (std::size_t s = 0; s < kSymbols.size(); ++s) {
        row[s] = (sum += std::exp(kSpread * random.normal()));
      }
      for (std::size_t s = 0; s < kSymbols.size(); ++s) row[s] /= sum;
    }
  }

  [[nodiscard]] std::string text(RandomStream& random, std::size_t length) const {
    std::string result;
    std::size_t last = random.below(kLetters);
    std::size_t before = random.below(kLetters);
    while (result.size() < length) {
      const double* row = &rows_[(before * kSymbols.size() + last) * kSymbols.size()];
      const double* end = row + kSymbols.size();
      const auto next = static_cast<std::size_t>(
          std::min(std::upper_bound(row, end, random.uniform()), end - 1) - row);
      result += kSymbols[next];
      before = last;
      last = next;
    }
    return result;
  }

 private:
  std::vector<double> rows_;
};

std::string two_letters(RandomStream& random) {
  const auto letter = [&random] { return static_cast<char>('a' + random.below(kLetters)); };
  const char first = letter();
  return {first, letter()};
}

class Needle final : public probes::ProbeTask {
 public:
  [[nodiscard]] TaskInfo info() const override {
    TaskInfo info;
    info.name = "needle";
    info.title = "Needle recall";
    info.cite = "Hsieh2024";
    info.head = Head::token;
    info.classes = info.vocabulary = 'z' + 2;
    info.max_length = N_;
    info.length_axis = {"length"};
    return info;
  }

  void options(OptionTable& t) override {
    t.integer("length", N_, kNeedle + kQuestion + 1, 1 << 20, "N, bytes")
        .integer("distractors", D_, 0, kMostNeedles, "D, needles of other keys");
  }

  void check_options() const override {
    if (haystack() < 1) {
      fail(ErrorKind::config,
           "tasks/needle: got length {}, distractors {}; expected a length over {}", N_, D_,
           N_ - haystack());
    }
  }

  [[nodiscard]] std::string settings() const override { return fmt::format("{} {}", N_, D_); }

  [[nodiscard]] probes::Drawn draw(RandomStream& random) const override {
    static const Chain chain;
    const std::string hay = chain.text(random, static_cast<std::size_t>(haystack()));
    std::set<std::string> keys;
    std::string key;
    std::string value;
    std::vector<std::pair<std::size_t, std::string>> needles;  // place in the hay; the needle
    while (static_cast<std::int64_t>(needles.size()) <= D_) {
      const std::string k = two_letters(random);
      if (!keys.insert(k).second) continue;
      const std::string v = two_letters(random);
      needles.emplace_back(random.below(static_cast<std::uint32_t>(hay.size() + 1)),
                           "#" + k + "=" + v + ";");
      if (needles.size() > 1) continue;
      key = k;  // the first one is asked for
      value = v;
    }
    std::stable_sort(needles.begin(), needles.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::string text;
    std::size_t taken = 0;
    for (const auto& [place, needle] : needles) {
      text += hay.substr(taken, place - taken) + needle;
      taken = place;
    }
    text += hay.substr(taken) + "?" + key + "=" + value[0];

    probes::Drawn drawn;
    for (const char c : text) drawn.tokens.push_back(id(c));
    drawn.labels.assign(text.size(), probes::kNoLabel);
    drawn.labels[text.size() - 2] = id(value[0]);
    drawn.labels[text.size() - 1] = id(value[1]);
    return drawn;
  }

  [[nodiscard]] double chance() const override { return 1.0 / kLetters; }

 private:
  [[nodiscard]] static Token id(char c) {
    return static_cast<Token>(static_cast<unsigned char>(c) + 1);
  }
  [[nodiscard]] std::int64_t haystack() const { return N_ - kQuestion - (D_ + 1) * kNeedle; }
  std::int64_t N_ = 1024;
  std::int64_t D_ = 4;
};

LRA_TASK(needle, Needle);

}  // namespace
}  // namespace lra::tasks

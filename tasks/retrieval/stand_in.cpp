#include "tasks/retrieval/stand_in.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>

#include "tasks/pseudo_text.h"

namespace lra::tasks::retrieval {
namespace {

constexpr std::uint32_t kSubjects = 8;
using Words = std::vector<std::string>;

const Words& subject_words(std::uint32_t subject) {
  static const std::array<Words, kSubjects> kSyllables{{{"bax", "bo", "bly", "beb", "bum"},
                                                        {"cha", "chu", "chy", "choc", "ech"},
                                                        {"fla", "fo", "fi", "ef", "fum"},
                                                        {"gwa", "go", "gy", "og", "gim"},
                                                        {"hu", "hoy", "aha", "hix", "ohm"},
                                                        {"quo", "qua", "qui", "eq", "aq"},
                                                        {"vo", "va", "ev", "vyn", "uv"},
                                                        {"wy", "wo", "aw", "wem", "ow"}}};
  static const std::array<Words, kSubjects> kWords = [] {
    std::array<Words, kSubjects> words;
    for (std::uint32_t i = 0; i < kSubjects; ++i) {
      words[i] = pseudo_words(fmt::format("subject {}", i), 40, kSyllables[i]);
    }
    return words;
  }();
  return kWords[subject];
}

std::string document(RandomKey key, std::uint32_t subject) {
  RandomStream random(key);
  const std::size_t bytes = 4000 + random.below(2001);
  Prose prose(random, false);
  while (prose.size() < bytes) {
    const Words& words = random.below(10) < 7 ? filler_words() : subject_words(subject);
    prose.add(words[random.below(static_cast<std::uint32_t>(words.size()))]);
  }
  return prose.finish();
}

}  // namespace

StandInSplit stand_in_split(std::uint64_t seed, Split split, std::int64_t pairs) {
  const RandomKey key =
      RandomKey(seed).of("retrieval stand-in").of(kStandInVersion).of(split_name(split));
  StandInSplit result;
  // Documents i, i + kSubjects, ... are on subject i.
  const auto each = static_cast<std::uint32_t>(std::max<std::int64_t>(8, pairs / 4 / kSubjects));
  result.documents.resize(std::size_t{each} * kSubjects);
  oneapi::tbb::parallel_for(std::size_t{0}, result.documents.size(), [&](std::size_t i) {
    result.documents[i] =
        document(key.of("document").of(i), static_cast<std::uint32_t>(i % kSubjects));
  });
  for (std::int64_t i = 0; i < pairs; ++i) {
    RandomStream random(key.of("pair").of(static_cast<std::uint64_t>(i)));
    StandInSplit::Pair pair;
    pair.label = static_cast<std::int32_t>(random.below(2));
    const std::uint32_t subject = random.below(kSubjects);
    const std::uint32_t other =
        pair.label == 1 ? subject : (subject + 1 + random.below(kSubjects - 1)) % kSubjects;
    const std::uint32_t place = random.below(each);
    // Two different documents on one subject.
    const std::uint32_t second =
        pair.label == 1 ? (place + 1 + random.below(each - 1)) % each : random.below(each);
    pair.first = subject + kSubjects * place;
    pair.second = other + kSubjects * second;
    result.pairs.push_back(pair);
  }
  return result;
}

}  // namespace lra::tasks::retrieval

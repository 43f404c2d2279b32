// Text: whether a film review, read byte by byte, is positive (1) or negative (0).
// IMDb reviews of Maas et al. 2011, "Learning Word Vectors for Sentiment Analysis" (aclImdb v1,
// published for research without a licence text); byte level as in Tay et al. 2021 (arXiv
// 2011.04006). 25,000 + 25,000 texts, mean 1,300 bytes; ids byte + 1 (257), cut to 4,000 by default
// (the arena's paper: 1,000 to 4,000, its code: 1,000). Published: Transformer 64.3, S4 86.8.
// Without reviews, the stand-in of stand_in.h is used.

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "tasks/baselines/texts.h"
#include "tasks/bytes.h"
#include "tasks/io/fetch.h"
#include "tasks/locate.h"
#include "tasks/task.h"
#include "tasks/text/reviews.h"
#include "tasks/text/stand_in.h"

namespace lra::tasks {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using text::Review;

// reviews_digest() of the official texts, train and test.
constexpr const char* kOfficialTrain =
    "d43a079130f9b42dbb6725240e24467956387967699d0945d6268fbfcd5b7ddf";
constexpr const char* kOfficialTest =
    "fa7342181623d2b8e79d60c67e86280baac32df8acaeb67b1aaceff196814f8e";

constexpr const char* kArchive = "aclImdb_v1.tar.gz";
constexpr const char* kWanted =
    "the aclImdb tree (train/pos, train/neg, test/pos, test/neg), aclImdb_v1.tar.gz, or train and "
    "test (and val, if there is one) as .csv or .tsv";

// The file of a table in a folder, or an empty path.
fs::path table_of(const fs::path& folder, Split split) {
  for (const char* extension : {".csv", ".tsv"}) {
    fs::path path = folder / (std::string(split_name(split)) + extension);
    if (is_file(path)) return path;
  }
  return {};
}

fs::path archive_of(const fs::path& path) {
  static constexpr std::array<const char*, 2> kNames{kArchive, "aclImdb_v1.tar"};
  return archive_in(path, kNames);
}

bool holds_reviews(const fs::path& path) {
  return text::is_review_tree(path) || !archive_of(path).empty() ||
         (!table_of(path, Split::train).empty() && !table_of(path, Split::test).empty());
}

enum class TextValidation { hash, test };
constexpr auto texts(TextValidation) { return enum_texts("hash", "test"); }

class Text final : public Task {
 public:
  [[nodiscard]] TaskInfo info() const override {
    TaskInfo info;
    info.name = "text";
    info.title = "Text";
    info.without_files = Origin::stand_in;
    info.cite = "Maas2011";
    info.source = {.examples = "film reviews as bytes; positive or negative",
                   .origin = "IMDb reviews (Maas et al. 2011), for research, no licence text",
                   .counts = {25000, 0, 25000},
                   .command = "lra data fetch text",
                   .otherwise = "stand-in: pseudo-English reviews"};
    info.classes = 2;
    info.vocabulary = kByteVocabulary;
    info.max_length = max_length_;
    info.validates_on_test = validation_ == TextValidation::test;
    return info;
  }

  void options(OptionTable& table) override {
    table.integer("max_length", max_length_, 1, 1 << 20, "longer texts are cut to so many bytes")
        .choice(
            "validation", validation_,
            "hash: a tenth of train by content, or the table val if there is one; test: the test "
            "set (quirk of most papers)");
  }

  [[nodiscard]] Source find(const OpenOptions& options) const override {
    json identity = {{"max_length", max_length_}, {"validation", name_of(validation_)}};
    Source source;
    if (const auto found = locate(options, {"aclImdb", "imdb", "text"}, holds_reviews, kWanted)) {
      source.path = found->path;
      source.via = found->via;
      if (text::is_review_tree(found->path)) {
        identity["tree"] = text::review_tree_fingerprint(found->path);
      } else {
        identity["files"] = fingerprint(files_of(found->path));
      }
    } else {
      identity["stand_in"] = {text::kStandInVersion, options.seed,
                              wanted_counts(options, text::kStandInCounts)};
    }
    source.identity = json_text(identity);
    return source;
  }

  [[nodiscard]] std::vector<Predictor> predictors() const override {
    return baselines::text_predictors();
  }

  [[nodiscard]] Reading read(const Source& source, const OpenOptions& options,
                             ExampleSink& sink) const override {
    return source.path.empty() ? stand_in(options, sink) : read_reviews(source, sink);
  }

  // Home page: ai.stanford.edu/~amaas/data/sentiment; size and digest as TensorFlow Datasets and
  // others check them.
  [[nodiscard]] FetchPlan download() const override {
    FetchPlan plan;
    plan.task = "text";
    plan.url = std::string("https://ai.stanford.edu/~amaas/data/sentiment/") + kArchive;
    plan.bytes = 84125825;
    plan.sha256 = "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe";
    plan.product = kArchive;
    return plan;
  }

 private:
  static std::vector<fs::path> files_of(const fs::path& path) {
    if (const fs::path archive = archive_of(path); !archive.empty()) return {archive};
    std::vector<fs::path> files;
    for (const Split split : kSplits) {
      if (fs::path table = table_of(path, split); !table.empty()) files.push_back(std::move(table));
    }
    return files;
  }

  // Adds reviews in the order of their digests, independently of their source form, so that classes
  // are mixed.
  void add(std::vector<Review> reviews, ExampleSink& sink) const {
    std::sort(reviews.begin(), reviews.end(), [](const Review& a, const Review& b) {
      return std::tie(a.sha256, a.label) < std::tie(b.sha256, b.label);
    });
    const bool own_validation =
        std::any_of(reviews.begin(), reviews.end(),
                    [](const Review& review) { return review.split == Split::val; });
    std::vector<Token> tokens;
    for (const Review& review : reviews) {
      byte_tokens(review.content, max_length_, tokens);
      Example example;
      example.tokens = tokens;
      example.label = review.label;
      if (validation_ == TextValidation::test) {
        if (review.split == Split::test) sink.add(Split::val, example);
        if (review.split == Split::val) continue;
      }
      sink.add(own_validation ? review.split : split_of(review), example);
    }
  }

  // A tenth of train is validation: the texts whose digest's first 16 hexadecimal digits, as a
  // number, are divisible by ten. Equal texts stay together.
  [[nodiscard]] Split split_of(const Review& review) const {
    if (review.split != Split::train || validation_ != TextValidation::hash) return review.split;
    const std::uint64_t number = std::stoull(review.sha256.substr(0, 16), nullptr, 16);
    return number % 10 == 0 ? Split::val : Split::train;
  }

  Reading read_reviews(const Source& source, ExampleSink& sink) const;
  Reading stand_in(const OpenOptions& options, ExampleSink& sink) const;

  std::int64_t max_length_ = 4000;
  TextValidation validation_ = TextValidation::hash;
};

Reading Text::read_reviews(const Source& source, ExampleSink& sink) const {
  const auto fault = [&sink](const std::string& message) { sink.fault(message); };
  std::vector<Review> reviews;
  const char* form = "tables";
  if (text::is_review_tree(source.path)) {
    reviews = text::read_review_tree(source.path, fault);
    form = "folder tree";
  } else if (const fs::path archive = archive_of(source.path); !archive.empty()) {
    reviews = text::read_review_archive(archive, fault);
    form = "archive";
  } else {
    for (const Split split : kSplits) {
      const fs::path table = table_of(source.path, split);
      if (table.empty()) continue;
      if (split == Split::val) form = "tables, one of them for validation,";
      text::read_review_table(read_file(table), table.string(), table.extension() == ".csv", split,
                              reviews, fault);
    }
  }
  json digests = {{"train", text::reviews_digest(reviews, Split::train)},
                  {"test", text::reviews_digest(reviews, Split::test)}};
  if (!table_of(source.path, Split::val).empty()) {
    digests["val"] = text::reviews_digest(reviews, Split::val);
  }
  Reading reading;
  const bool official =
      digests.size() == 2 && digests["train"] == kOfficialTrain && digests["test"] == kOfficialTest;
  reading.origin = official ? Origin::official : Origin::stand_in;
  reading.description =
      fmt::format("Text: {} as {} in {} ({})",
                  official ? "official IMDb reviews" : "other reviews than the official ones", form,
                  last_parts(source.path), source.via);
  reading.extra = std::make_shared<const json>(
      json{{"validation", name_of(validation_)}, {"reviews", digests}});
  add(std::move(reviews), sink);
  return reading;
}

Reading Text::stand_in(const OpenOptions& options, ExampleSink& sink) const {
  const auto counts = wanted_counts(options, text::kStandInCounts);
  std::vector<Token> tokens;
  for (const Split split : kSplits) {
    // "Validation = test" also applies to the stand-in.
    const Split from =
        split == Split::val && validation_ == TextValidation::test ? Split::test : split;
    std::vector<Review> reviews(static_cast<std::size_t>(counts[split_index(from)]));
    oneapi::tbb::parallel_for(std::size_t{0}, reviews.size(), [&](std::size_t i) {
      reviews[i] = text::stand_in_review(options.seed, from, i);
    });
    for (const Review& review : reviews) {
      byte_tokens(review.content, max_length_, tokens);
      Example example;
      example.tokens = tokens;
      example.label = review.label;
      sink.add(split, example);
    }
  }
  Reading reading;
  reading.origin = Origin::stand_in;
  reading.description = fmt::format("Text: stand-in, made-up reviews, seed {}", options.seed);
  reading.extra = std::make_shared<const json>(json{{"validation", name_of(validation_)},
                                                    {"generator", text::kStandInVersion},
                                                    {"seed", options.seed}});
  return reading;
}

LRA_TASK(text, Text);

}  // namespace
}  // namespace lra::tasks

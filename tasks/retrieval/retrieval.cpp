// Retrieval: are two papers linked by a citation (1) or not (0), from their texts, byte by byte.
// ACL Anthology Network (Radev et al. 2009) as paired by Tay et al. 2021, "Long Range Arena" (arXiv
// 2011.04006): new_aan_pairs.{train,eval,test}.tsv, 147,086 / 18,090 / 17,437 pairs, five columns,
// with the texts. Both documents go through one encoder; ids byte + 1 (257), 4,000 bytes each.
// Published: Transformer 57.5 in the paper, 77 to 82 in later code bases. Where there are no pairs,
// the stand-in of stand_in.h.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tasks/io/bytes.h"
#include "tasks/locate.h"
#include "tasks/retrieval/pairs.h"
#include "tasks/retrieval/stand_in.h"
#include "tasks/task.h"

namespace lra::tasks {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array<std::int64_t, 3> kOfficialCounts{147086, 18090, 17437};
constexpr const char* kDocuments = "papers.tsv";
constexpr const char* kWanted = "new_aan_pairs.train.tsv, .eval.tsv and .test.tsv";

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

bool has_files(const fs::path& folder, std::string (*name)(Split)) {
  return std::all_of(kSplits.begin(), kSplits.end(), [&](Split split) {
    std::error_code code;
    return fs::is_regular_file(folder / name(split), code);
  });
}

bool has_id_files(const fs::path& folder) {
  std::error_code code;
  return has_files(folder, retrieval::ids_name) && fs::is_regular_file(folder / kDocuments, code);
}

class Retrieval final : public Task {
 public:
  [[nodiscard]] TaskInfo info() const override {
    TaskInfo info;
    info.name = "retrieval";
    info.title = "Retrieval";
    info.cite = "Tay2021";
    info.source = {.examples = "two papers as bytes; does one cite the other",
                   .origin = "ACL Anthology Network, in the arena's release (Apache-2.0)",
                   .sizes = "147,086 / 18,090 / 17,437",
                   .command = "lra data fetch retrieval",
                   .otherwise = "stand-in: pairs of pseudo-English documents"};
    info.head = Head::pair_class;
    info.classes = 2;
    info.vocabulary = kByteVocabulary;
    info.max_length = max_length_;
    return info;
  }

  void options(OptionTable& table) override {
    table.integer("max_length", max_length_, 1, 1 << 20,
                  "longer documents are cut to so many bytes, each");
  }

  [[nodiscard]] Source find(const OpenOptions& options) const override {
    json identity = {{"max_length", max_length_}};
    Source source;
    const auto accept = [](const fs::path& folder) {
      return has_files(folder, retrieval::pairs_name) || has_id_files(folder);
    };
    if (const auto found = locate(options, {"tsv_data", "retrieval", "aan"}, accept, kWanted)) {
      source.path = found->path;
      source.via = found->via;
      std::vector<fs::path> files;
      files.reserve(kSplits.size() + 1);
      const bool whole = has_files(found->path, retrieval::pairs_name);
      for (const Split split : kSplits) {
        files.push_back(found->path /
                        (whole ? retrieval::pairs_name(split) : retrieval::ids_name(split)));
      }
      if (!whole) files.push_back(found->path / kDocuments);
      identity["files"] = fingerprint(files);
    } else {
      identity["stand_in"] = {retrieval::kStandInVersion, options.seed, stand_in_counts(options)};
    }
    source.identity = identity.dump();
    return source;
  }

  [[nodiscard]] Reading read(const Source& source, const OpenOptions& options,
                             ExampleSink& sink) const override {
    if (source.path.empty()) return stand_in(options, sink);
    return has_files(source.path, retrieval::pairs_name) ? read_whole(source, sink)
                                                         : read_joined(source, sink);
  }

 private:
  static std::array<std::int64_t, 3> stand_in_counts(const OpenOptions& options) {
    auto counts = retrieval::kStandInCounts;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (options.counts[i] >= 0) counts[i] = options.counts[i];
    }
    return counts;
  }

  [[nodiscard]] retrieval::PairHandler adder(ExampleSink& sink, Split split,
                                             std::int64_t& count) const {
    return [this, &sink, split, &count](std::int32_t label, std::string_view first,
                                        std::string_view second) {
      std::vector<Token> tokens;
      std::vector<Token> second_tokens;
      byte_tokens(first, max_length_, tokens);
      byte_tokens(second, max_length_, second_tokens);
      Example example;
      example.tokens = tokens;
      example.second = second_tokens;
      example.label = label;
      sink.add(split, example);
      ++count;
    };
  }

  Reading read_whole(const Source& source, ExampleSink& sink) const {
    std::array<std::int64_t, 3> counts{};
    for (const Split split : kSplits) {
      const fs::path path = source.path / retrieval::pairs_name(split);
      const MappedFile file(path);
      retrieval::read_pairs(text_of(file), path.string(),
                            adder(sink, split, counts[split_index(split)]),
                            [&sink](const std::string& message) { sink.fault(message); });
    }
    Reading reading;
    const bool official = counts == kOfficialCounts;
    reading.origin = official ? Origin::official : Origin::stand_in;
    reading.description = fmt::format(
        "Retrieval: {} in {} ({})",
        official ? "official pairs" : "pairs in the official form, but not of the official counts,",
        last_parts(source.path), source.via);
    return reading;
  }

  Reading read_joined(const Source& source, ExampleSink& sink) const {
    const auto fault = [&sink](const std::string& message) { sink.fault(message); };
    const fs::path papers = source.path / kDocuments;
    const MappedFile texts(papers);
    const auto documents = retrieval::read_documents(text_of(texts), papers.string(), fault);
    std::int64_t count = 0;
    for (const Split split : kSplits) {
      const fs::path path = source.path / retrieval::ids_name(split);
      const MappedFile file(path);
      retrieval::read_id_pairs(text_of(file), path.string(), documents, adder(sink, split, count),
                               fault);
    }
    Reading reading;
    reading.origin = Origin::stand_in;
    reading.description =
        fmt::format("Retrieval: pairs of numbered documents in {} ({}), not the official pairs",
                    last_parts(source.path), source.via);
    return reading;
  }

  Reading stand_in(const OpenOptions& options, ExampleSink& sink) const {
    const auto counts = stand_in_counts(options);
    std::int64_t count = 0;
    for (const Split split : kSplits) {
      const auto made = retrieval::stand_in_split(options.seed, split, counts[split_index(split)]);
      const auto add = adder(sink, split, count);
      for (const auto& pair : made.pairs) {
        add(pair.label, made.documents[pair.first], made.documents[pair.second]);
      }
    }
    Reading reading;
    reading.origin = Origin::stand_in;
    reading.description =
        fmt::format("Retrieval: stand-in, made-up documents, seed {}", options.seed);
    reading.extra = std::make_shared<const json>(
        json{{"generator", retrieval::kStandInVersion}, {"seed", options.seed}});
    return reading;
  }

  std::int64_t max_length_ = 4000;
};

LRA_TASK(retrieval, Retrieval);

}  // namespace
}  // namespace lra::tasks

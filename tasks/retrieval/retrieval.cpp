// Retrieval: are two papers linked by a citation (1) or not (0), from their texts, byte by byte.
// ACL Anthology Network (Radev et al. 2009) as paired by Tay et al. 2021, "Long Range Arena" (arXiv
// 2011.04006): new_aan_pairs.{train,eval,test}.tsv, 147,086 / 18,090 / 17,437 pairs, five columns,
// with the texts. Both documents go through one encoder; ids byte + 1 (257), 4,000 bytes each.
// Published: Transformer 57.5 in the paper, 77 to 82 in later code bases. Without pairs, the
// stand-in of stand_in.h is used.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "tasks/bytes.h"
#include "tasks/io/archive.h"
#include "tasks/io/fetch.h"
#include "tasks/io/lines.h"
#include "tasks/locate.h"
#include "tasks/release.h"
#include "tasks/retrieval/baselines.h"
#include "tasks/retrieval/pairs.h"
#include "tasks/retrieval/stand_in.h"
#include "tasks/task.h"

namespace lra::tasks {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array<std::int64_t, 3> kOfficialCounts{147086, 18090, 17437};
constexpr const char* kDocuments = "papers.tsv";
constexpr const char* kWanted =
    "new_aan_pairs.train.tsv, .eval.tsv and .test.tsv, or .only_ids.tsv of each beside papers.tsv, "
    "or the archive lra_release.gz";

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

// The naming scheme of a folder's files; null if it has none.
using Naming = std::string (*)(Split);
Naming naming_of(const fs::path& folder) {
  if (has_files(folder, retrieval::pairs_name)) return retrieval::pairs_name;
  if (!is_file(folder / kDocuments)) return nullptr;
  for (const Naming name : {retrieval::ids_name, retrieval::only_ids_name}) {
    if (has_files(folder, name)) return name;
  }
  return nullptr;
}

class Retrieval final : public Task {
 public:
  [[nodiscard]] TaskInfo info() const override {
    TaskInfo info;
    info.name = "retrieval";
    info.title = "Retrieval";
    info.without_files = Origin::stand_in;
    info.cite = "Tay2021";
    info.source = {.examples = "two papers as bytes; does one cite the other",
                   .origin = "ACL Anthology Network, in the arena's release (Apache-2.0)",
                   .counts = {147086, 18090, 17437},
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
    const auto accept = [](const fs::path& path) {
      return naming_of(path) != nullptr || !release_archive(path).empty();
    };
    if (const auto found = locate(options, {"tsv_data", "retrieval", "aan"}, accept, kWanted)) {
      source.path = found->path;
      source.via = found->via;
      std::vector<fs::path> files;
      if (const Naming name = naming_of(found->path)) {
        for (const Split split : kSplits) files.push_back(found->path / name(split));
        if (name != retrieval::pairs_name) files.push_back(found->path / kDocuments);
      } else {
        source.path = release_archive(found->path);
        files.push_back(source.path);
      }
      identity["files"] = fingerprint(files);
    } else {
      identity["stand_in"] = {retrieval::kStandInVersion, options.seed,
                              wanted_counts(options, retrieval::kStandInCounts)};
    }
    source.identity = json_text(identity);
    return source;
  }

  [[nodiscard]] std::vector<Predictor> predictors() const override {
    return retrieval::predictors();
  }

  [[nodiscard]] Reading read(const Source& source, const OpenOptions& options,
                             ExampleSink& sink) const override {
    if (source.path.empty()) return stand_in(options, sink);
    const Naming name = naming_of(source.path);
    return name == nullptr || name == retrieval::pairs_name ? read_whole(source, sink)
                                                            : read_joined(source, name, sink);
  }

  [[nodiscard]] FetchPlan download() const override {
    return release_plan("retrieval", "tsv_data");
  }

 private:
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
    const auto fault = [&sink](const std::string& message) { sink.fault(message); };
    if (is_file(source.path)) {
      read_release(source.path, sink, counts);
    } else {
      for (const Split split : kSplits) {
        const fs::path path = source.path / retrieval::pairs_name(split);
        const MappedFile file(path);
        retrieval::read_pairs(text_of(file), path.string(),
                              adder(sink, split, counts[split_index(split)]), fault);
      }
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

  // Reads the archive's tables, several gigabytes of text, while unpacking.
  void read_release(const fs::path& archive, ExampleSink& sink,
                    std::array<std::int64_t, 3>& counts) const {
    std::vector<std::string> names;
    for (const Split split : kSplits) names.push_back(retrieval::pairs_name(split));
    const std::string folder = folder_in_archive(archive, names);
    const std::string below = folder.empty() ? "" : folder + "/";
    read_archive(archive, {below + "new_aan_pairs.*.tsv"}, [&](ArchiveEntry& entry) {
      const auto at = std::find(names.begin(), names.end(), entry.name().substr(below.size()));
      if (at == names.end()) return;
      const Split split = kSplits[static_cast<std::size_t>(at - names.begin())];
      const std::string name = archive.string() + ":" + entry.name();
      const auto add = adder(sink, split, counts[split_index(split)]);
      for_line_blocks([&entry](std::span<std::byte> buffer) { return entry.read(buffer); },
                      [&](std::string_view lines, std::int64_t before, bool last) {
                        if (lines.empty() && (before > 0 || !last)) return;
                        retrieval::read_pairs(
                            lines, name, add,
                            [&sink](const std::string& message) { sink.fault(message); }, before);
                      });
    });
  }

  Reading read_joined(const Source& source, Naming name, ExampleSink& sink) const {
    const auto fault = [&sink](const std::string& message) { sink.fault(message); };
    const fs::path papers = source.path / kDocuments;
    const MappedFile texts(papers);
    const auto documents = retrieval::read_documents(text_of(texts), papers.string(), fault);
    std::int64_t count = 0;
    for (const Split split : kSplits) {
      const fs::path path = source.path / name(split);
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
    const auto counts = wanted_counts(options, retrieval::kStandInCounts);
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

#include "tasks/check.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tasks/cache.h"
#include "tasks/io/hash.h"

namespace lra::tasks {
namespace {

using nlohmann::json;

LengthSummary summarise(std::vector<std::int64_t>& lengths) {
  LengthSummary summary;
  if (lengths.empty()) return summary;
  std::sort(lengths.begin(), lengths.end());
  summary.min = lengths.front();
  summary.max = lengths.back();
  const auto count = static_cast<double>(lengths.size());
  summary.mean =
      static_cast<double>(std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0})) / count;
  for (std::size_t i = 0; i < kQuantiles.size(); ++i) {
    const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(kQuantiles[i] * count)));
    summary.quantiles[i] = lengths[rank - 1];
  }
  const auto bins = static_cast<std::int64_t>(summary.histogram.size());
  summary.bin_width = summary.max / bins + 1;
  for (const std::int64_t length : lengths) {
    ++summary.histogram[static_cast<std::size_t>(length / summary.bin_width)];
  }
  return summary;
}

class SummarySink final : public ExampleSink {
 public:
  SummarySink(const TaskInfo& info, DataCheck& check, std::size_t max_faults)
      : info_(info), check_(check), max_faults_(max_faults) {
    for (Part& part : parts_) {
      part.encoder = std::make_unique<CacheEncoder>(example_form(info.head), "", nullptr);
      if (info.head != Head::token) part.labels.resize(static_cast<std::size_t>(info.classes));
    }
  }

  void add(Split split, const Example& example) override {
    Part& part = parts_[split_index(split)];
    part.encoder->add(example);
    Hasher128 sequences;
    for (const auto tokens : {example.tokens, example.second}) {
      sequences.update(std::as_bytes(tokens));
      sequences.update(std::as_bytes(std::span("\xFF\xFF", 2)));  // no id
    }
    part.sequences.push_back(sequences.finish().low);
    part.lengths.push_back(static_cast<std::int64_t>(example.tokens.size()));
    if (info_.head == Head::pair_class) {
      part.second_lengths.push_back(static_cast<std::int64_t>(example.second.size()));
    }
    if (!part.labels.empty()) ++part.labels.at(static_cast<std::size_t>(example.label));
  }

  void fault(const std::string& message) override {
    ++check_.fault_count;
    if (check_.faults.size() < max_faults_) check_.faults.push_back(message);
  }

  void finish() {
    std::string digests;
    auto& train = parts_[split_index(Split::train)].sequences;
    std::sort(train.begin(), train.end());
    for (const Split split : kSplits) {
      Part& part = parts_[split_index(split)];
      SplitSummary& summary = check_.splits[split_index(split)];
      summary.examples = static_cast<std::int64_t>(part.encoder->size());
      summary.labels = part.labels;
      summary.lengths = summarise(part.lengths);
      summary.second_lengths = summarise(part.second_lengths);
      if (split != Split::train) {
        summary.in_train = std::count_if(
            part.sequences.begin(), part.sequences.end(), [&train](std::uint64_t sequence) {
              return std::binary_search(train.begin(), train.end(), sequence);
            });
      }
      summary.sha256 = part.encoder->finish();
      digests += summary.sha256 + "\n";
    }
    check_.sha256 = sha256_hex(digests);
  }

 private:
  struct Part {
    std::unique_ptr<CacheEncoder> encoder;
    std::vector<std::int64_t> lengths, second_lengths, labels;
    std::vector<std::uint64_t> sequences;  // their hashes
  };
  TaskInfo info_;
  DataCheck& check_;
  std::size_t max_faults_;
  std::array<Part, 3> parts_;
};

json lengths_json(const LengthSummary& lengths) {
  json quantiles = json::object();
  for (std::size_t i = 0; i < kQuantiles.size(); ++i) {
    quantiles[fmt::format("{}", kQuantiles[i])] = lengths.quantiles[i];
  }
  return {{"min", lengths.min},
          {"max", lengths.max},
          {"mean", lengths.mean},
          {"quantiles", quantiles},
          {"histogram", {{"bin_width", lengths.bin_width}, {"counts", lengths.histogram}}}};
}

json split_json(const SplitSummary& split) {
  json result = {{"examples", split.examples},
                 {"lengths", lengths_json(split.lengths)},
                 {"sha256", split.sha256}};
  if (!split.labels.empty()) {
    const auto most = *std::max_element(split.labels.begin(), split.labels.end());
    result["labels"] = split.labels;
    result["majority_share"] =
        split.examples > 0 ? static_cast<double>(most) / static_cast<double>(split.examples) : 0.0;
  }
  if (split.in_train > 0) result["in_train"] = split.in_train;
  if (split.second_lengths.max > 0) result["second_lengths"] = lengths_json(split.second_lengths);
  return result;
}

}  // namespace

json DataCheck::to_json() const {
  json result = {{"task", task},
                 {"description", description},
                 {"sha256", sha256},
                 {"complete", complete},
                 {"faults", faults},
                 {"fault_count", fault_count},
                 {"origin", name_of(origin)}};
  if (!class_names.empty()) result["class_names"] = class_names;
  for (const Split split : kSplits) {
    result["splits"][split_name(split)] = split_json(splits[split_index(split)]);
  }
  return result;
}

DataCheck check(const Task& task, const OpenOptions& options, std::size_t max_faults) {
  DataCheck result;
  result.task = task.info().name;
  result.class_names = task.info().class_names;
  const Source source = task.find(options);
  SummarySink sink(task.info(), result, max_faults);
  try {
    const Reading reading = task.read(source, options, sink);
    result.origin = reading.origin;
    result.description = reading.description;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::data) throw;
    sink.fault(error.what());
    result.complete = false;
    result.origin = task.info().without_files == Origin::own ? Origin::own : Origin::stand_in;
  }
  sink.finish();
  const bool whole = result.complete && result.fault_count == 0;  // otherwise already reported
  for (const Split split : kSplits) {
    if (whole && result.splits[split_index(split)].examples == 0) {
      sink.fault(fmt::format("{}: no examples for {}; expected at least one",
                             result.description.empty() ? result.task : result.description,
                             split_name(split)));
    }
  }
  return result;
}

}  // namespace lra::tasks

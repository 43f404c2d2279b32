// A user's own data set: CSV, TSV and JSON lines, folders of classes with texts or PNGs, NumPy
// arrays, MNIST's idx files, CIFAR in colour; any number of classes. task.kind defines the type of
// an example; classes, vocabulary and longest sequence follow from the data unless given. Not a
// task of the benchmark: tables mark it and give it a separate column, by its name.

#include "engine/base/file.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/random.h"
#include "tasks/bytes.h"
#include "tasks/file/baselines.h"
#include "tasks/file/encoder.h"
#include "tasks/file/facts.h"
#include "tasks/file/formats.h"
#include "tasks/io/lines.h"
#include "tasks/io/table.h"
#include "tasks/locate.h"

namespace lra::tasks {
namespace {

namespace fs = std::filesystem;
using file::Facts;
using file::FoundData;
using file::Kind;
using file::Part;
using file::Record;
using nlohmann::json;

constexpr std::int64_t kLongestByDefault = 4096;
constexpr std::size_t kLongestName = 40;

// A name in the form used by records.
bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

// "my_news" from /data/My-news.csv: other characters become '_'; a task's name is unchanged.
std::string name_by(const fs::path& data) {
  std::error_code code;
  fs::path whole = fs::absolute(data, code).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
  std::string name =
      lower_case((fs::is_directory(data, code) ? whole.filename() : whole.stem()).string());
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !is_name(std::string_view(&c, 1)); }, '_');
  name = name.substr(0, kLongestName - 4);
  if (name.empty()) return "own";
  return task_registry().find(name) != nullptr ? "own_" + name : name;
}

// The order of the positions: position i of a sequence is order[i] of the picture.
std::vector<std::size_t> permutation(std::int64_t seed, std::int64_t length) {
  std::vector<std::size_t> order(static_cast<std::size_t>(length));
  std::iota(order.begin(), order.end(), std::size_t{0});
  RandomStream random(RandomKey(static_cast<std::uint64_t>(seed)).of("permutation"));
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
  }
  return order;
}

class File final : public Task {
 public:
  [[nodiscard]] TaskInfo info() const override {
    TaskInfo info;
    info.name = "file";
    info.set = settings_.name;
    info.title = settings_.name.empty() ? "Own data" : settings_.name;
    info.cite = "own";
    info.source = {.examples = "a data set of your own: texts, ids, pixels or pairs of texts",
                   .origin =
                       "your CSV, TSV, JSON lines, folders of classes, .npy, idx or CIFAR "
                       "files",
                   .command = "lra data check file --data PATH",
                   .otherwise = ""};
    info.class_names = file::parse_labels(settings_.labels);
    info.classes = static_cast<std::int64_t>(info.class_names.size());
    info.vocabulary = settings_.vocabulary;
    info.max_length = settings_.max_length;
    info.open = info.classes == 0 || info.vocabulary == 0 || info.max_length == 0;
    info.head = settings_.kind == Kind::pair ? Head::pair_class : Head::pooled_class;
    info.pixels = settings_.kind == Kind::pixels;
    info.without_files = Origin::own;
    return info;
  }

  void options(OptionTable& table) override { settings_.options(table); }

  void settle(const OpenOptions& options) override {
    if (options.data.empty()) return;
    if (settings_.name.empty()) settings_.name = name_by(options.data);
    check_name();
    if (!info().open) return;
    const Source source = locate(options);
    const file::Encoder encoder(settings_, source.path);
    const Facts facts = facts_of(source, encoder, options);
    if (settings_.labels.empty()) {
      file::require_classes(facts, source.path);
      settings_.labels = file::labels_text(facts.labels);
    }
    if (settings_.max_length == 0) {
      settings_.max_length = settings_.kind == Kind::pixels
                                 ? facts.longest
                                 : std::min(facts.longest, kLongestByDefault);
    }
    if (settings_.vocabulary == 0) {
      settings_.vocabulary = std::max({encoder.vocabulary(), facts.vocabulary, std::int64_t{2}});
    }
  }

  [[nodiscard]] Source find(const OpenOptions& options) const override {
    Source source = locate(options);
    if (info().open) {
      fail(ErrorKind::config,
           "tasks/file: classes, vocabulary or longest sequence are not known; expected them of "
           "the data");
    }
    const FoundData found = file::find_parts(source.path);
    file::Settings settings = settings_;
    source.identity =
        json_text({{"options", settings.values()},
                   {"files", file::state_of(found, file::words_file(settings_, source.path))}});
    return source;
  }

  [[nodiscard]] Reading read(const Source& source, const OpenOptions& options,
                             ExampleSink& sink) const override;

  [[nodiscard]] std::vector<Predictor> predictors() const override {
    return file::predictors(settings_, info());
  }

 private:
  static Source locate(const OpenOptions& options) {
    if (options.data.empty()) {
      fail(ErrorKind::usage,
           "tasks/file: no data; give --data PATH, or the setting data.path in a suite");
    }
    return {options.data, "--data", {}};
  }

  Facts facts_of(const Source& source, const file::Encoder& encoder,
                 const OpenOptions& options) const {
    return file::facts_of(file::find_parts(source.path), settings_, encoder, source.path,
                          options.cache);
  }

  void check_name() const {
    if (!is_name(settings_.name)) {
      fail(ErrorKind::config,
           "tasks/file: name; got '{}', expected at most {} lower-case letters, digits and '_'",
           printable(settings_.name), kLongestName);
    }
    if (task_registry().find(settings_.name) != nullptr) {
      fail(ErrorKind::config, "tasks/file: name; got '{}', which is the name of a task; try own_{}",
           settings_.name, settings_.name);
    }
  }

  file::Settings settings_;
};

// Hands records to a sink as examples.
class Writer {
 public:
  Writer(const file::Settings& settings, const TaskInfo& info, const file::Encoder& encoder,
         const Facts& facts, ExampleSink& sink)
      : settings_(settings), info_(info), encoder_(encoder), facts_(facts), sink_(sink) {
    for (std::size_t i = 0; i < info.class_names.size(); ++i) {
      classes_[info.class_names[i]] = static_cast<std::int32_t>(i);
    }
    if (settings.permute >= 0) order_ = permutation(settings.permute, info.max_length);
  }

  void take(const Part& part, const Record& record) {
    std::string wrong = encoder_.encode(record, first_, second_);
    const auto label = classes_.find(record.label);
    if (wrong.empty() && label == classes_.end()) wrong = unknown_label(record.label);
    if (wrong.empty()) wrong = cut(first_, example_);
    if (wrong.empty() && !second_.empty()) wrong = cut(second_, second_example_);
    if (!wrong.empty()) {
      sink_.fault(fmt::format("{}: {}", record.place, wrong));
      return;
    }
    Example example;
    example.tokens = example_;
    example.second = second_example_;
    example.label = label->second;
    sink_.add(split_of(part, content_key(record, settings_.split_seed), facts_), example);
  }

  [[nodiscard]] std::int64_t cut_count() const { return cut_; }

 private:
  [[nodiscard]] std::string unknown_label(const std::string& label) const {
    constexpr std::size_t kShown = 10;
    auto names = info_.class_names;
    const bool more = names.size() > kShown;
    if (more) names.resize(kShown);
    return fmt::format("label; got '{}', expected one of {}{}", printable(label),
                       fmt::join(names, ", "), more ? ", ..." : "");
  }

  // The ids as tokens, cut to the longest sequence, permuted. Returns the fault, or an empty text.
  std::string cut(const std::vector<std::int64_t>& ids, std::vector<Token>& tokens) {
    const auto most = static_cast<std::size_t>(info_.max_length);
    for (const std::int64_t id : ids) {
      if (id < info_.vocabulary) continue;
      return fmt::format("id; got {}, expected less than {}: task.vocabulary is {}", id - 1,
                         info_.vocabulary - 1, info_.vocabulary);
    }
    if (!order_.empty() && ids.size() != most) {
      return fmt::format("pixels; got {}, expected {}: one permutation for all", ids.size(), most);
    }
    if (ids.size() > most) ++cut_;
    tokens.resize(std::min(ids.size(), most));
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      tokens[i] = static_cast<Token>(ids[order_.empty() ? i : order_[i]]);
    }
    return {};
  }

  const file::Settings& settings_;
  const TaskInfo& info_;
  const file::Encoder& encoder_;
  const Facts& facts_;
  ExampleSink& sink_;
  std::unordered_map<std::string, std::int32_t> classes_;
  std::vector<std::size_t> order_;
  std::vector<std::int64_t> first_, second_;
  std::vector<Token> example_, second_example_;
  std::int64_t cut_ = 0;
};

Reading File::read(const Source& source, const OpenOptions& options, ExampleSink& sink) const {
  const FoundData found = file::find_parts(source.path);
  const TaskInfo task = info();
  const file::Encoder encoder(settings_, source.path);
  const Facts facts = facts_of(source, encoder, options);
  Writer writer(settings_, task, encoder, facts, sink);
  for (const Part& part : found.parts) {
    file::Handler handler;
    handler.take = [&](Record& record) { writer.take(part, record); };
    handler.fault = [&](const std::string& message) { sink.fault(message); };
    found.format.read(part, settings_, handler);
  }
  Reading reading;
  reading.origin = Origin::own;
  reading.description =
      fmt::format("{}: own data, {} as {} in {}", task.title, name_of(settings_.kind),
                  found.format.name, last_parts(source.path));
  json drawn = json::array();
  for (const Split split : facts.drawn) drawn.push_back(split_name(split));
  if (!drawn.empty()) {
    const bool all = settings_.test_share == 1 && facts.drawn.front() == Split::test;
    reading.description +=
        all ? ", all of it test"
            : fmt::format(", {} taken from train",
                          fmt::join(drawn.get<std::vector<std::string>>(), " and "));
  }
  if (writer.cut_count() > 0) {
    reading.description +=
        fmt::format(", {} sequences cut to {}", writer.cut_count(), task.max_length);
  }
  reading.extra = std::make_shared<const json>(json{{"set", settings_.name},
                                                    {"kind", name_of(settings_.kind)},
                                                    {"labels", task.class_names},
                                                    {"vocabulary", task.vocabulary},
                                                    {"max_length", task.max_length},
                                                    {"cut", writer.cut_count()},
                                                    {"drawn_from_train", drawn}});
  return reading;
}

LRA_TASK(file, File);

}  // namespace
}  // namespace lra::tasks

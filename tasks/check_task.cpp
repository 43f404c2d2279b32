#include "tasks/check_task.h"

#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <utility>

#include "engine/base/error.h"
#include "tasks/cache.h"
#include "tasks/check.h"
#include "tasks/shortcuts.h"

namespace lra::tasks {
namespace {

using nlohmann::json;

constexpr std::array<std::int64_t, 3> kCounts{48, 24, 24};
constexpr std::int32_t kNoLabel = -100;

using Faults = std::vector<std::string>;
using Digests = std::array<std::vector<std::string>, 3>;  // of the examples, by Split

// Sink that computes a digest per example.
class ExampleDigests final : public ExampleSink {
 public:
  explicit ExampleDigests(Head head) : form_(example_form(head)) {}
  void add(Split split, const Example& example) override {
    CacheEncoder encoder(form_, "", nullptr);
    encoder.add(example);
    digests[split_index(split)].push_back(encoder.finish());
  }
  Digests digests;

 private:
  ExampleForm form_;
};

class Checks {
 public:
  Checks(const TaskMaker& make, json options, const std::filesystem::path& data,
         const std::filesystem::path& scratch)
      : make_(make), options_(std::move(options)) {
    open_.data = data;
    open_.cache = scratch / "cache";
    open_.counts = kCounts;
    open_.at_most = {true, true, true};
  }

  std::vector<TaskFinding> run() {
    run("it says what it is, and refuses unknown options", [this](Faults& f) { states(f); });
    run("examples fit what it says: ids, lengths, labels", [this](Faults& f) { examples(f); });
    run("the same examples again, with one thread or many", [this](Faults& f) { repeats(f); });
    const bool generated = settled(options_)->find(open_).path.empty();
    const char* skip = generated ? "" : "its data are in files";
    const bool one_set = settled(options_)->info().splits_from_one_set;
    run(
        "example i does not depend on how many there are", [this](Faults& f) { counts(f); },
        one_set ? "its splits are cut from one set" : skip);
    run(
        "another seed gives other examples", [this](Faults& f) { seeds(f); }, skip);
    run(
        "no two splits share an example", [this](Faults& f) { splits(f); }, skip);
    run("the cache gives back what was read", [this](Faults& f) { caches(f); });
    run("every predictor answers every label of the test", [this](Faults& f) { predictors(f); });
    run(
        "its length axis makes longer sequences", [this](Faults& f) { lengths(f); },
        settled(options_)->info().length_axis.empty() ? "it has none" : "");
    return std::move(findings_);
  }

 private:
  template <class Check>
  void run(const char* name, const Check& check, const std::string& skipped = "") {
    TaskFinding& finding = findings_.emplace_back(TaskFinding{name, {}, skipped});
    if (!skipped.empty()) return;
    try {
      check(finding.faults);
    } catch (const std::exception& error) {
      finding.faults.emplace_back(error.what());
    }
  }

  [[nodiscard]] std::unique_ptr<Task> settled(const json& options) const {
    auto task = make_(options);
    task->settle(open_);
    return task;
  }

  [[nodiscard]] Digests read(const OpenOptions& open) const {
    const auto task = settled(options_);
    ExampleDigests sink(task->info().head);
    static_cast<void>(task->read(task->find(open), open, sink));
    return std::move(sink.digests);
  }

  void states(Faults& faults) const {
    const auto task = settled(options_);
    const TaskInfo info = task->info();
    const auto need = [&faults](bool holds, const char* what) {
      if (!holds) faults.push_back(fmt::format("info: {}", what));
    };
    need(!info.name.empty() && !info.title.empty() && !info.cite.empty(),
         "name, title or cite is empty");
    // The user's own data have no official sizes.
    const bool sized = info.source.counts[0] > 0 || info.without_files == Origin::own;
    need(!info.source.examples.empty() && !info.source.origin.empty() && sized &&
             !info.source.command.empty(),
         "source lacks examples, origin, counts or command");
    need(info.version >= 1, "version is less than 1");
    need(info.vocabulary >= 2 && info.vocabulary <= 65536, "vocabulary is not in 2..65536");
    need(info.max_length >= 1, "max_length is less than 1");
    need(info.classes >= 2, "classes are fewer than 2");
    OptionTable table;
    task->options(table);
    for (const json& option : table.describe()) {
      need(!option.at("help").get<std::string>().empty(), "an option without help");
    }
    try {
      OptionTable other;
      const auto fresh = make_(json::object());
      fresh->options(other);
      other.assign({{"no_such_option", 1}}, "check");
      faults.emplace_back("an unknown option is accepted");
    } catch (const Error& error) {
      need(error.kind() == ErrorKind::config, "an unknown option is another error than config");
    }
  }

  void examples(Faults& faults) const {
    const auto task = settled(options_);
    const TaskInfo info = task->info();
    const TaskData data = task->open(open_);
    for (const Split split : kSplits) {
      const Dataset& set = data.split(split);
      for (std::size_t i = 0; i < set.size(); ++i) {
        const std::string wrong = fault_of(set[i], info);
        if (!wrong.empty()) faults.push_back(fmt::format("{} {}: {}", split_name(split), i, wrong));
      }
    }
  }

  static std::string fault_of(const Example& example, const TaskInfo& info) {
    for (const auto tokens : {example.tokens, example.second}) {
      if (std::cmp_greater(tokens.size(), info.max_length)) {
        return fmt::format("{} tokens, expected at most {}", tokens.size(), info.max_length);
      }
      for (const Token token : tokens) {
        if (std::cmp_less(token, info.vocabulary) && (token > 0 || info.zero_is_padding)) continue;
        return fmt::format("id {}, expected 1..{}", token, info.vocabulary - 1);
      }
    }
    if (example.tokens.empty()) return "no tokens";
    if ((info.head == Head::pair_class) != !example.second.empty()) {
      return "a second sequence where there is none to be, or none where there is";
    }
    const auto is_class = [&info](std::int32_t label) {
      return label >= 0 && std::cmp_less(label, info.classes);
    };
    if (info.head != Head::token) {
      if (is_class(example.label)) return {};
      return fmt::format("label {}, expected 0..{}", example.label, info.classes - 1);
    }
    if (example.token_labels.size() != example.tokens.size()) {
      return fmt::format("{} labels of {} tokens", example.token_labels.size(),
                         example.tokens.size());
    }
    const bool fit =
        std::all_of(example.token_labels.begin(), example.token_labels.end(),
                    [&](std::int32_t label) { return label == kNoLabel || is_class(label); });
    return fit ? std::string() : "a token's label is neither a class nor -100";
  }

  void repeats(Faults& faults) const {
    const auto many = read(open_);
    oneapi::tbb::task_arena one(1);
    one.execute([&] {
      if (read(open_) != many) faults.emplace_back("other examples");
    });
  }

  void counts(Faults& faults) const {
    OpenOptions fewer = open_;
    for (std::int64_t& count : fewer.counts) count /= 2;
    const auto all = read(open_);
    const auto some = read(fewer);
    for (const Split split : kSplits) {
      const auto& few = some[split_index(split)];
      const auto& many = all[split_index(split)];
      if (few.size() > many.size() || !std::equal(few.begin(), few.end(), many.begin())) {
        faults.push_back(
            fmt::format("{}: other examples where fewer are asked for", split_name(split)));
      }
    }
  }

  void seeds(Faults& faults) const {
    OpenOptions other = open_;
    other.seed = open_.seed + 1;
    if (read(other) == read(open_)) faults.emplace_back("the same examples");
    const auto task = settled(options_);
    if (task->find(other).identity == task->find(open_).identity) {
      faults.emplace_back("find(): the same identity for another seed");
    }
  }

  void splits(Faults& faults) const {
    const auto digests = read(open_);
    std::set<std::string> seen;
    for (const Split split : kSplits) {
      const std::set<std::string> own(digests[split_index(split)].begin(),
                                      digests[split_index(split)].end());
      for (const auto& digest : own) {
        if (seen.count(digest) == 0) continue;
        faults.push_back(fmt::format("{}: has an example of an earlier split", split_name(split)));
        break;
      }
      seen.insert(own.begin(), own.end());
    }
  }

  void caches(Faults& faults) const {
    const auto task = settled(options_);
    const TaskData first = task->open(open_);
    const auto again = task->open_cached(open_);
    if (!again || again->sha256 != first.sha256) faults.emplace_back("other data, or none");
    if (first.description.empty()) faults.emplace_back("read(): no description");
  }

  void predictors(Faults& faults) const {
    const auto task = settled(options_);
    const TaskData data = task->open(open_);
    const auto all = task->predictors();
    if (all.empty()) faults.emplace_back("predictors(): none");
    std::set<std::string> names;
    for (const Predictor& predictor : all) {
      if (!names.insert(predictor.name).second) {
        faults.push_back(fmt::format("{}: occurs twice", predictor.name));
      }
      if (predictor.sees.empty()) {
        faults.push_back(fmt::format("{}: does not say what it sees", predictor.name));
      }
      try {
        static_cast<void>(judge(predictor, data));
      } catch (const std::exception& error) {
        faults.emplace_back(error.what());
      }
    }
  }

  void lengths(Faults& faults) const {
    const auto task = settled(options_);
    json longer = table_of(*task).values();
    for (const std::string& option : task->info().length_axis) {
      const auto value = longer.find(option);
      if (value == longer.end() || !value->is_number_integer()) {
        faults.push_back(fmt::format("length_axis: no integer option '{}'", option));
        return;
      }
      *value = 2 * value->get<std::int64_t>();
    }
    const auto twice = settled(longer);
    if (twice->info().max_length <= task->info().max_length) {
      faults.emplace_back("max_length does not grow with it");
    }
    const auto longest = [this](const Task& of) {
      const TaskData data = of.open(open_);
      const Dataset& test = data.split(Split::test);
      std::size_t most = 0;
      for (std::size_t i = 0; i < test.size(); ++i) most = std::max(most, test[i].tokens.size());
      return most;
    };
    if (longest(*twice) <= longest(*task)) faults.emplace_back("no longer examples");
  }

  const TaskMaker& make_;
  json options_;
  OpenOptions open_;
  std::vector<TaskFinding> findings_;
};

}  // namespace

std::vector<TaskFinding> check_task(const TaskMaker& make, const json& options,
                                    const std::filesystem::path& data,
                                    const std::filesystem::path& scratch) {
  return Checks(make, options, data, scratch).run();
}

}  // namespace lra::tasks

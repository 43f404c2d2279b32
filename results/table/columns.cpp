#include <algorithm>
#include <array>
#include <set>

#include "engine/base/error.h"
#include "results/table/table.h"

namespace lra::results {
namespace {

using Kind = Column::Kind;

// Words that take a task and are no metric.
struct TaskWord {
  const char* word;
  Kind kind;
  const char* title;
  const char* unit;
  Better better;
};
constexpr std::array kTaskWords{
    TaskWord{"versus", Kind::versus, "difference to baseline", "points", Better::higher},
    TaskWord{"interval", Kind::interval, "95 % interval", "%", Better::neither},
    TaskWord{"seeds", Kind::seeds, "seeds", "", Better::neither},
    TaskWord{"data", Kind::data, "data", "", Better::neither},
    TaskWord{"verdict", Kind::verdict, "verdict", "", Better::neither}};
constexpr std::array kEntryWords{"preset", "protocol", "precision", "machine"};

class Selector {
 public:
  explicit Selector(const Leaderboard& board) {
    for (const auto& entry : board.entries) {
      for (const auto& [task, cell] : entry.cells) titles_.emplace(task, cell.title);
    }
    for (const auto& task : board.baselines) {
      for (const auto& baseline : task.baselines) {
        baseline_tasks_[baseline.name].insert(task.task);
        baseline_titles_.emplace(baseline.name, baseline.title);
      }
    }
  }

  std::vector<Column> select(const std::vector<std::string>& words) {
    for (const auto& word : words.empty() ? defaults() : words) add(word);
    return std::move(columns_);
  }

 private:
  [[nodiscard]] std::vector<std::string> defaults() const {
    std::vector<std::string> words;
    for (const auto& [task, title] : titles_) words.push_back(task);
    if (titles_.size() == 1) {
      for (const char* word : {"val", "tokens", "infer", "memory", "parameters", "seconds"}) {
        words.emplace_back(word);
      }
      return words;
    }
    std::size_t known = 0;
    while (known < kLraTasks.size() && titles_.count(kLraTasks[known].name) != 0) ++known;
    if (known >= 5) words.emplace_back("avg5");
    if (known == 6) words.emplace_back("avg6");
    return words;
  }

  void add(const std::string& word) {
    const std::size_t colon = word.find(':');
    const std::string head = word.substr(0, colon);
    const std::string tail = colon == std::string::npos ? "" : word.substr(colon + 1);
    if (titles_.count(head) != 0 && tail.empty()) return add_metric(*find_metric("accuracy"), head);
    if (const Metric* metric = find_metric(head)) {
      for (const auto& task : tasks_of(word, tail)) add_metric(*metric, task);
      return;
    }
    if ((head == "avg5" || head == "avg6") && tail.empty()) return add_average(head);
    if (head == "agreement") return add_agreement(word, tail);
    for (const auto& known : kTaskWords) {
      if (head != known.word) continue;
      for (const auto& task : tasks_of(word, tail)) {
        Column column;
        column.id = fmt::format("{}:{}", head, task);
        column.kind = known.kind;
        column.title = with_task(task, known.title);
        column.unit = known.unit;
        column.better = known.better;
        column.task = task;
        columns_.push_back(std::move(column));
      }
      return;
    }
    if (tail.empty() &&
        std::find(kEntryWords.begin(), kEntryWords.end(), head) != kEntryWords.end()) {
      Column column;
      column.id = column.name = column.title = head;
      column.kind = Kind::entry_text;
      columns_.push_back(std::move(column));
      return;
    }
    throw Error(ErrorKind::usage, unknown_name_message("column", head, known_words()));
  }

  void add_metric(const Metric& metric, const std::string& task) {
    Column column;
    column.id = fmt::format("{}:{}", metric.name, task);
    column.metric = &metric;
    const bool test_accuracy = metric.name == "accuracy";
    column.title = test_accuracy ? titles_.at(task) : with_task(task, std::string(metric.title));
    column.unit = metric.unit;
    column.better = metric.better;
    column.task = task;
    columns_.push_back(std::move(column));
  }

  void add_average(const std::string& word) {
    Column column;
    column.id = word;
    column.kind = Kind::average;
    column.tasks = word == "avg5" ? 5 : 6;
    column.title = column.tasks == 5 ? "average of five tasks" : "average of six tasks";
    column.unit = std::string("%");
    column.better = Better::higher;
    columns_.push_back(std::move(column));
  }

  void add_agreement(const std::string& word, const std::string& tail) {
    const std::size_t colon = tail.find(':');
    const std::string baseline = tail.substr(0, colon);
    const auto found = baseline_tasks_.find(baseline);
    if (found == baseline_tasks_.end()) {
      std::vector<std::string> known;
      for (const auto& [name, tasks] : baseline_tasks_) known.push_back(name);
      throw Error(ErrorKind::usage, fmt::format("column {}: {}", word,
                                                unknown_name_message("baseline", baseline, known)));
    }
    const std::string wanted = colon == std::string::npos ? "" : tail.substr(colon + 1);
    for (const auto& task : tasks_of(word, wanted)) {
      if (found->second.count(task) == 0) continue;
      Column column;
      column.id = fmt::format("agreement:{}:{}", baseline, task);
      column.kind = Kind::agreement;
      column.title =
          with_task(task, fmt::format("agreement with: {}", baseline_titles_.at(baseline)));
      column.unit = std::string("%");
      column.task = task;
      column.name = baseline;
      columns_.push_back(std::move(column));
    }
  }

  // The named task, or all.
  [[nodiscard]] std::vector<std::string> tasks_of(const std::string& word,
                                                  const std::string& task) const {
    std::vector<std::string> known;
    for (const auto& [name, title] : titles_) known.push_back(name);
    if (task.empty()) return known;
    if (titles_.count(task) == 0) {
      throw Error(ErrorKind::usage,
                  fmt::format("column {}: {}", word, unknown_name_message("task", task, known)));
    }
    return {task};
  }

  // Names the task where the table has several.
  [[nodiscard]] std::string with_task(const std::string& task, const std::string& title) const {
    return titles_.size() == 1 ? title : fmt::format("{} {}", titles_.at(task), title);
  }

  [[nodiscard]] std::vector<std::string> known_words() const {
    std::vector<std::string> words{"avg5", "avg6", "agreement"};
    for (const auto& [task, title] : titles_) words.push_back(task);
    for (const auto& metric : metrics()) {
      words.emplace_back(metric.name);
      if (!metric.alias.empty()) words.emplace_back(metric.alias);
    }
    for (const auto& known : kTaskWords) words.emplace_back(known.word);
    for (const char* known : kEntryWords) words.emplace_back(known);
    std::sort(words.begin(), words.end());
    return words;
  }

  std::map<std::string, std::string, TaskBefore> titles_;  // of the board's tasks
  std::map<std::string, std::set<std::string>> baseline_tasks_;
  std::map<std::string, std::string> baseline_titles_;
  std::vector<Column> columns_;
};

}  // namespace

bool Column::is_text() const {
  return kind == Kind::interval || kind == Kind::data || kind == Kind::verdict ||
         kind == Kind::entry_text;
}

std::vector<Column> select_columns(const Leaderboard& board,
                                   const std::vector<std::string>& words) {
  return Selector(board).select(words);
}

}  // namespace lra::results

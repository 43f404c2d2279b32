#include <algorithm>
#include <array>
#include <set>

#include "engine/base/error.h"
#include "results/table/table.h"

namespace lra::results {
namespace {

using Kind = Column::Kind;

// Words that take a task and are not metrics.
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
  explicit Selector(const Leaderboard& board) : board_(board) {
    for (const auto& of_column : board.baselines) {
      for (const auto& baseline : of_column.baselines) {
        baseline_columns_[baseline.name].insert(of_column.column);
        baseline_titles_.emplace(baseline.name, baseline.title);
      }
    }
  }

  std::vector<Column> select(const std::vector<std::string>& words) {
    words_name_columns_ = words.empty();
    for (const auto& word : words.empty() ? defaults() : words) add(word);
    return std::move(columns_);
  }

 private:
  [[nodiscard]] std::vector<std::string> defaults() const {
    std::vector<std::string> words;
    for (const auto& column : board_.columns) words.push_back("accuracy:" + column.id);
    if (board_.columns.size() == 1) {
      for (const char* word : {"val", "tokens", "infer", "memory", "parameters", "seconds"}) {
        words.emplace_back(word);
      }
      return words;
    }
    std::size_t known = 0;
    while (known < kLraTasks.size() && is_task(kLraTasks[known].name)) ++known;
    if (known >= 5) words.emplace_back("avg5");
    if (known == 6) words.emplace_back("avg6");
    return words;
  }

  void add(const std::string& word) {
    const std::size_t colon = word.find(':');
    const std::string head = word.substr(0, colon);
    const std::string tail = colon == std::string::npos ? "" : word.substr(colon + 1);
    if (const Metric* metric = find_metric(head)) {
      for (const std::size_t at : columns_of(word, tail)) add_metric(*metric, at);
      return;
    }
    if ((head == "avg5" || head == "avg6") && tail.empty()) return add_average(head);
    if (head == "agreement") return add_agreement(word, tail);
    for (const auto& known : kTaskWords) {
      if (head != known.word) continue;
      for (const std::size_t at : columns_of(word, tail)) {
        Column column = of_board(at, head);
        column.kind = known.kind;
        column.title = with_task(at, known.title);
        column.unit = known.unit;
        column.better = known.better;
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
    // Last: a data set of one's own may have any name, and be data.csv.
    if (tail.empty() && is_column(head)) return add("accuracy:" + head);
    throw Error(ErrorKind::usage, unknown_name_message("column", head, known_words()));
  }

  // The literature's scores are shown only with comparable data.
  [[nodiscard]] Column of_board(std::size_t at, std::string_view word) const {
    Column column;
    const BoardColumn& source = board_.columns[at];
    column.id = fmt::format("{}:{}", word, source.id);
    column.at = at;
    if (board_.column_of(source.task) == at && source.data.comparable()) column.task = source.task;
    return column;
  }

  void add_metric(const Metric& metric, std::size_t at) {
    Column column = of_board(at, metric.name);
    column.metric = &metric;
    const bool test_accuracy = metric.name == "accuracy";
    column.title =
        test_accuracy ? board_.columns[at].title : with_task(at, std::string(metric.title));
    column.unit = metric.unit;
    column.better = metric.better;
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
    const auto found = baseline_columns_.find(baseline);
    if (found == baseline_columns_.end()) {
      std::vector<std::string> known;
      for (const auto& [name, columns] : baseline_columns_) known.push_back(name);
      throw Error(ErrorKind::usage, fmt::format("column {}: {}", word,
                                                unknown_name_message("baseline", baseline, known)));
    }
    const std::string wanted = colon == std::string::npos ? "" : tail.substr(colon + 1);
    for (const std::size_t at : columns_of(word, wanted)) {
      if (found->second.count(at) == 0) continue;
      Column column = of_board(at, "agreement:" + baseline);
      column.kind = Kind::agreement;
      column.title =
          with_task(at, fmt::format("agreement with: {}", baseline_titles_.at(baseline)));
      column.unit = std::string("%");
      column.name = baseline;
      columns_.push_back(std::move(column));
    }
  }

  [[nodiscard]] bool is_task(std::string_view name) const {
    return board_.column_of(name) < board_.columns.size();
  }
  [[nodiscard]] bool is_column(const std::string& name) const {
    return std::any_of(
        board_.columns.begin(), board_.columns.end(),
        [&](const BoardColumn& column) { return column.id == name || column.task == name; });
  }

  // The columns of the named task (all its data) or of one of its data; all columns without a name.
  [[nodiscard]] std::vector<std::size_t> columns_of(const std::string& word,
                                                    const std::string& name) const {
    std::vector<std::size_t> found;
    std::vector<std::string> known;
    for (std::size_t i = 0; i < board_.columns.size(); ++i) {
      const BoardColumn& column = board_.columns[i];
      known.push_back(column.id);
      if (name.empty() || column.id == name || (column.task == name && !words_name_columns_)) {
        found.push_back(i);
      }
    }
    if (found.empty()) {
      throw Error(ErrorKind::usage,
                  fmt::format("column {}: {}", word, unknown_name_message("task", name, known)));
    }
    return found;
  }

  // Names the task where the table has several.
  [[nodiscard]] std::string with_task(std::size_t at, const std::string& title) const {
    return board_.columns.size() == 1 ? title
                                      : fmt::format("{} {}", board_.columns[at].title, title);
  }

  [[nodiscard]] std::vector<std::string> known_words() const {
    std::vector<std::string> words{"avg5", "avg6", "agreement"};
    for (const auto& column : board_.columns) words.push_back(column.id);
    for (const auto& metric : metrics()) {
      words.emplace_back(metric.name);
      if (!metric.alias.empty()) words.emplace_back(metric.alias);
    }
    for (const auto& known : kTaskWords) words.emplace_back(known.word);
    for (const char* known : kEntryWords) words.emplace_back(known);
    std::sort(words.begin(), words.end());
    return words;
  }

  const Leaderboard& board_;
  bool words_name_columns_ = false;  // the words are ids: the first data's id is the task's name
  std::map<std::string, std::set<std::size_t>> baseline_columns_;
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

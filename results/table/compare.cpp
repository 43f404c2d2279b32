#include "results/table/compare.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "results/analysis/leaderboard.h"
#include "results/analysis/statistics.h"
#include "results/record/metrics.h"
#include "results/record/tasks.h"
#include "results/table/table.h"

namespace lra::results {
namespace {

using nlohmann::json;

using BySeed = std::map<std::int64_t, const Record*>;

// The unit of comparison: a configuration on a task; its runs on other data or another machine form
// another group.
struct Group {
  std::string configuration, task, data, machine;
  [[nodiscard]] bool same_question(const Group& other) const {
    return configuration == other.configuration && task == other.task;
  }
  bool operator<(const Group& other) const {
    if (configuration != other.configuration) return configuration < other.configuration;
    if (task != other.task) return task_before(task, other.task);
    return std::tie(data, machine) < std::tie(other.data, other.machine);
  }
};
using Groups = std::map<Group, BySeed>;

std::string configuration_of(const Record& record) {
  std::string text = record.attention.label;
  if (record.attention.options.text != "{}") text += " " + record.attention.options.text;
  return text + ", " + setting_of(record);
}

// Among several runs of one seed in a group, the first by run id counts. A run that failed before
// its data were open joins the group of its machine.
Groups group(const std::vector<Record>& records) {
  Groups groups;
  for (const bool opened : {true, false}) {
    for (const auto& record : records) {
      if (record.task.data_sha256.has_value() != opened) continue;
      Group key{configuration_of(record), record.task.name, record.task.data_sha256.value_or(""),
                machine_of(record.environment)};
      const auto home = std::find_if(groups.begin(), groups.end(), [&](const auto& item) {
        return item.first.same_question(key) && item.first.machine == key.machine;
      });
      if (!opened && home != groups.end()) key = home->first;
      const Record*& slot = groups[key][record.seed];
      if (slot == nullptr || record.run_id < slot->run_id) slot = &record;
    }
  }
  return groups;
}

bool completed(const Record* record) { return record->status == Status::completed; }

class Comparer {
 public:
  Comparison run(const std::vector<Record>& before, const std::vector<Record>& after) {
    const Groups old_groups = group(before);
    const Groups new_groups = group(after);
    for (const auto& [key, partner] : partners(old_groups, new_groups)) {
      if (!partner) {
        out_.only_before.push_back(name(key, old_groups));
      } else {
        const std::size_t first = out_.changes.size();
        compare_group(key, old_groups.at(key), new_groups.at(*partner));
        if (groups_of(key, old_groups) > 1 || groups_of(key, new_groups) > 1) {
          for (std::size_t i = first; i < out_.changes.size(); ++i) {
            out_.changes[i].configuration += data_and_machine(key);
          }
        }
        compared_.insert(*partner);
      }
    }
    for (const auto& [key, runs] : new_groups) {
      if (compared_.count(key) == 0) out_.only_after.push_back(name(key, new_groups));
    }
    adjust();
    compare_environments(before, after);
    return std::move(out_);
  }

 private:
  // The counterpart of each group: same data and machine, else same machine, else same data, else
  // the first remaining one.
  static std::map<Group, std::optional<Group>> partners(const Groups& before, const Groups& after) {
    std::map<Group, std::optional<Group>> pairs;
    std::set<Group> taken;
    for (const auto& [key, runs] : before) pairs[key];
    for (const int round : {0, 1, 2, 3}) {
      for (auto& [group, partner] : pairs) {
        if (partner) continue;
        const Group& key = group;  // not all compilers capture structured bindings
        const auto found = std::find_if(after.begin(), after.end(), [&](const auto& item) {
          const Group& other = item.first;
          return key.same_question(other) && taken.count(other) == 0 &&
                 (round > 1 || key.machine == other.machine) &&
                 (round == 1 || round == 3 || key.data == other.data);
        });
        if (found == after.end()) continue;
        partner = found->first;
        taken.insert(found->first);
      }
    }
    return pairs;
  }

  static std::string name(const Group& key) {
    return fmt::format("{} on {}", key.configuration, key.task);
  }
  // The name, with data and machine if the side has several groups with this name.
  static std::string name(const Group& key, const Groups& side) {
    return groups_of(key, side) < 2 ? name(key) : name(key) + data_and_machine(key);
  }
  static std::ptrdiff_t groups_of(const Group& key, const Groups& side) {
    return std::count_if(side.begin(), side.end(),
                         [&](const auto& item) { return item.first.same_question(key); });
  }
  static std::string data_and_machine(const Group& key) {
    return fmt::format(", data {}, {}", key.data.empty() ? "not opened" : key.data.substr(0, 12),
                       key.machine);
  }

  void compare_group(const Group& key, const BySeed& before, const BySeed& after) {
    for (const auto& [seed, old_run] : before) {
      const auto new_run = after.find(seed);
      if (new_run == after.end() || new_run->second->status == old_run->status) continue;
      out_.status.push_back(fmt::format("{}, seed {}: {} -> {}{}", name(key), seed,
                                        name_of(old_run->status), name_of(new_run->second->status),
                                        new_run->second->failure
                                            ? fmt::format(" ({})", *new_run->second->failure)
                                            : std::string()));
    }
    compare_accuracy(key, before, after);
    const auto first = [](const BySeed& runs) -> const Record* {
      for (const auto& [seed, run] : runs) {
        if (completed(run)) return run;
      }
      return nullptr;
    };
    const Record* a = first(before);
    const Record* b = first(after);
    if (a == nullptr || b == nullptr) return;
    if (machine_of(a->environment) != machine_of(b->environment)) {
      out_.not_compared.push_back(name(key) + ": speed and memory, measured on another machine");
      return;
    }
    if (a->task.data_sha256 != b->task.data_sha256) {  // sequences of other lengths
      out_.not_compared.push_back(name(key) + ": speed and memory, measured on other data");
      return;
    }
    compare_timings(key, *a, *b);
  }

  void compare_accuracy(const Group& key, const BySeed& before, const BySeed& after) {
    std::vector<double> a;
    std::vector<double> b;
    const Record* last = nullptr;
    const Record* partner = nullptr;
    for (const auto& [seed, old_run] : before) {
      const auto found = after.find(seed);
      if (found == after.end() || !completed(old_run) || !completed(found->second)) continue;
      if (old_run->task.data_sha256 != found->second->task.data_sha256 ||
          old_run->task.version != found->second->task.version) {
        out_.not_compared.push_back(
            fmt::format("{}, seed {}: other data or another task version", name(key), seed));
        continue;
      }
      a.push_back(*old_run->accuracy.value.test);
      b.push_back(*found->second->accuracy.value.test);
      last = old_run;
      partner = found->second;
    }
    if (a.empty()) {
      out_.not_compared.push_back(name(key) + ": accuracy, no common completed seed");
      return;
    }
    Change change{key.configuration,
                  key.task,
                  "accuracy",
                  summarize(a)->mean,
                  summarize(b)->mean,
                  static_cast<std::int64_t>(a.size()),
                  {},
                  "",
                  false};
    if (a == b) {
      change.p = 1.0;
      change.test = "equal";
    } else if (a.size() > 1) {
      change.p = paired_test(b, a)->p_t;
      change.test = "paired t";
    } else if (const auto p = same_examples_p(*last, *partner)) {
      change.p = p;
      change.test = fmt::format("McNemar, the same {} test examples", *last->accuracy.counts.test);
    } else if (const Count count = last->accuracy.counts.test) {
      const auto independent = [&](const Record& record) {
        return record.accuracy.test_independent.value_or(*count);
      };
      change.p = two_share_p(a[0], independent(*last), b[0], independent(*partner));
      change.test = fmt::format("two shares of {} test {}", *count, last->accuracy.unit);
    } else {
      change.test = "one seed, unknown number of test examples: not tested";
    }
    out_.changes.push_back(std::move(change));
  }

  void compare_timings(const Group& key, const Record& a, const Record& b) {
    const bool exclusive =
        a.speed.measured == Timing::exclusive && b.speed.measured == Timing::exclusive;
    if (!exclusive && (a.speed.measured || b.speed.measured)) {
      out_.not_compared.push_back(name(key) + ": speed, not measured exclusively in both");
    }
    constexpr std::array kCompared{"train_step_ms", "train_tokens_per_second",
                                   "infer_examples_per_second", "peak_tensor_bytes",
                                   "peak_rss_bytes"};
    for (const char* metric_name : kCompared) {
      const Metric& metric = *find_metric(metric_name);
      const bool memory = metric.unit == "MB";
      const Real before = metric.of(a);
      const Real after = metric.of(b);
      if (!before || !after || *before <= 0 || (!memory && !exclusive)) continue;
      Change change{key.configuration, key.task, metric_name, *before, *after, 0, {}, "", false};
      if (metric.name == "train_step_ms") {
        const auto& x = *a.speed.train_step_ms;
        const auto& y = *b.speed.train_step_ms;
        change.test = "p10-p90 ranges";
        change.beyond_noise = x.p90 < y.p10 || y.p90 < x.p10;
      } else {
        const double threshold = memory ? 0.01 : 0.05;
        change.test = fmt::format("more than {:.0f} %", 100 * threshold);
        change.beyond_noise = std::abs(*after / *before - 1) > threshold;
      }
      out_.changes.push_back(std::move(change));
    }
  }

  // Holm's adjustment over all tested accuracies.
  void adjust() {
    std::vector<double> p;
    for (const auto& change : out_.changes) {
      if (change.p) p.push_back(*change.p);
    }
    const auto adjusted = holm(p);
    std::size_t next = 0;
    for (auto& change : out_.changes) {
      if (!change.p) continue;
      change.p = adjusted[next++];
      change.beyond_noise = *change.p < 0.05;
    }
  }

  void compare_environments(const std::vector<Record>& before, const std::vector<Record>& after) {
    const auto add = [&](const char* what, auto value_of) {
      std::set<std::string> a;
      std::set<std::string> b;
      for (const auto& record : before) a.insert(value_of(record.environment));
      for (const auto& record : after) b.insert(value_of(record.environment));
      if (a == b) return;
      out_.environment.push_back(
          fmt::format("{}: {} -> {}", what, fmt::join(a, " | "), fmt::join(b, " | ")));
    };
    add("machine", [](const Environment& e) { return machine_of(e); });
    add("program", [](const Environment& e) { return program_of(e); });
    add("compiler", [](const Environment& e) { return e.compiler; });
    add("oneDNN", [](const Environment& e) { return e.onednn; });
    add("TBB", [](const Environment& e) { return e.tbb; });
  }

  Comparison out_;
  std::set<Group> compared_;  // of the side after
};

std::string markdown(const Comparison& comparison, bool all) {
  std::string rows;
  std::size_t hidden = 0;
  for (const auto& change : comparison.changes) {
    if (!change.beyond_noise && !all) {
      ++hidden;
      continue;
    }
    const Metric& metric = *find_metric(change.metric);
    const bool share = metric.unit == "%";
    const double before = metric.scale * change.before;
    const double after = metric.scale * change.after;
    const std::string difference =
        share ? fmt::format("{} points", format_number(after - before, 2, true))
              : fmt::format("{} %", format_number(100 * (after / before - 1), 1, true));
    std::string noise = change.beyond_noise ? "**beyond**: " : "within: ";
    noise += change.test;
    if (change.p) noise += ", " + format_p(*change.p);
    if (change.seeds > 0) noise += fmt::format(", {} seeds", change.seeds);
    rows += fmt::format("| {} | {} | {}{} | {} | {} | {} | {} |\n",
                        markdown_escape(change.configuration), markdown_escape(change.task),
                        metric.title, metric.unit.empty() ? "" : fmt::format(" ({})", metric.unit),
                        format_number(before, metric.decimals),
                        format_number(after, metric.decimals), difference, noise);
  }
  std::string out;
  if (!rows.empty()) {
    out =
        "| configuration | task | metric | before | after | change | noise |\n"
        "|---|---|---|---:|---:|---:|---|\n" +
        rows + "\n";
  }
  out += fmt::format("{} of {} numbers differ by more than noise.\n",
                     std::count_if(comparison.changes.begin(), comparison.changes.end(),
                                   [](const Change& change) { return change.beyond_noise; }),
                     comparison.changes.size());
  if (hidden > 0) out += fmt::format("{} within noise are not listed.\n", hidden);
  const auto section = [&](const char* title, const std::vector<std::string>& lines) {
    if (lines.empty()) return;
    out += fmt::format("\n{}:\n", title);
    for (const auto& line : lines) out += fmt::format("- {}\n", markdown_escape(line));
  };
  section("Status changed", comparison.status);
  section("Only before", comparison.only_before);
  section("Only after", comparison.only_after);
  section("Not compared", comparison.not_compared);
  section("Environment", comparison.environment);
  return out;
}

std::string json_text(const Comparison& comparison, bool all) {
  json changes = json::array();
  for (const auto& change : comparison.changes) {
    if (!change.beyond_noise && !all) continue;
    changes.push_back({{"configuration", change.configuration},
                       {"task", change.task},
                       {"metric", change.metric},
                       {"before", change.before},
                       {"after", change.after},
                       {"seeds", change.seeds},
                       {"p", change.p ? json(*change.p) : json(nullptr)},
                       {"test", change.test},
                       {"beyond_noise", change.beyond_noise}});
  }
  const json out = {{"schema", "lra-comparison/1"},
                    {"compared", comparison.changes.size()},
                    {"changes", std::move(changes)},
                    {"status", comparison.status},
                    {"only_before", comparison.only_before},
                    {"only_after", comparison.only_after},
                    {"not_compared", comparison.not_compared},
                    {"environment", comparison.environment}};
  return lra::json_text(out, 2) + "\n";
}

}  // namespace

bool Comparison::any_beyond_noise() const {
  return std::any_of(changes.begin(), changes.end(),
                     [](const Change& change) { return change.beyond_noise; });
}

Comparison compare_results(const std::vector<Record>& before, const std::vector<Record>& after) {
  return Comparer().run(before, after);
}

std::string format_comparison(const Comparison& comparison, SummaryFormat format, bool all) {
  return format == SummaryFormat::md ? markdown(comparison, all) : json_text(comparison, all);
}

}  // namespace lra::results

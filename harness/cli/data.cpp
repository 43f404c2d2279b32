// lra data: makes, fetches and checks data sets.

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "harness/cli/cli.h"
#include "harness/cli/definitions.h"
#include "harness/cli/output.h"
#include "harness/run/spec.h"
#include "tasks/check.h"
#include "tasks/io/fetch.h"
#include "tasks/locate.h"
#include "tasks/shortcuts.h"

namespace lra::harness::cli {
namespace {

using nlohmann::json;

struct DataArguments {
  std::string task, data, out;
  std::uint64_t seed = 0;
  std::array<std::int64_t, 3> counts{-1, -1, -1};
  std::vector<std::string> settings;
  bool json = false;
  bool baselines = false;   // of check
  std::string url, sha256;  // of fetch
  std::optional<std::int64_t> bytes;
  bool stream = false, keep_archive = false;
};

std::unique_ptr<tasks::Task> make_task(const DataArguments& a) {
  return tasks::create_task(a.task, task_settings(a.settings));
}

tasks::OpenOptions open_options(const DataArguments& a) {
  tasks::OpenOptions o;
  o.data = a.data;
  o.seed = a.seed;
  o.counts = a.counts;
  return o;
}

// The task, with options completed from its data.
std::unique_ptr<tasks::Task> make_task_of_data(const DataArguments& a) {
  return tasks::create_task(a.task, task_settings(a.settings), open_options(a));
}

// `count` examples in the shares of the splits of `of`; train has what is left over.
std::array<std::int64_t, 3> shares(const std::array<std::int64_t, 3>& of, std::int64_t count) {
  const std::int64_t all = std::accumulate(of.begin(), of.end(), std::int64_t{0});
  std::array<std::int64_t, 3> made = of;
  for (std::int64_t& share : made) share = share * count / all;
  made[0] = count - made[1] - made[2];
  return made;
}

// Pictures that a task splits itself: the three counts must match the split of their sum. Else the
// next larger sum is advised whose splits all have an example.
void require_shares(const tasks::TaskInfo& info, const tasks::OpenOptions& options) {
  if (!info.splits_from_one_set) return;
  const auto counts = tasks::wanted_counts(options, info.source.counts);
  std::int64_t count = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  std::array<std::int64_t, 3> made = shares(info.source.counts, count);
  if (counts == made) return;
  while (*std::min_element(made.begin(), made.end()) < 1) {
    made = shares(info.source.counts, ++count);
  }
  fail(ErrorKind::usage,
       "{}: its splits are shares of one set; got --train {} --val {} --test {}; try --train {} "
       "--val {} --test {}",
       info.name, counts[0], counts[1], counts[2], made[0], made[1], made[2]);
}

// The place of a download, or of generated data, which then have a folder of their own in it:
// --out, else where every command looks for data.
std::filesystem::path place_of(const DataArguments& a, const std::string& folder = {}) {
  return a.out.empty() ? tasks::default_data_folder() / folder : std::filesystem::path(a.out);
}

int make(const DataArguments& a) {
  const auto task = make_task(a);
  require_shares(task->info(), open_options(a));
  const auto out = place_of(a, task->info().source.folder);
  const json card = task->make(open_options(a), out);
  if (a.json) {
    say("{}\n", json_text(card, 2));
  } else {
    say("{}: written to {}\n", a.task, out.string());
    for (const auto& [key, value] : card.items()) say("  {:<14} {}\n", key, json_text(value));
  }
  return 0;
}

// Shows the progress of a download on stderr: a line that is rewritten on a terminal, else one line
// per ten seconds.
class FetchProgress {
 public:
  void operator()(std::string_view what, std::int64_t done, std::int64_t total) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(terminal_ ? 200 : 10000)) return;
    last_ = now;
    const bool bytes = what == "download";
    const double unit = bytes ? 1e6 : 1;
    std::string text = fmt::format("{} {:.0f}", what, static_cast<double>(done) / unit);
    if (total > 0) text += fmt::format(" of {:.0f}", static_cast<double>(total) / unit);
    text += bytes ? " MB" : " files";
    note("{}{}{}", terminal_ ? "\r\x1b[K" : "", text, terminal_ ? "" : "\n");
    open_ = terminal_;
  }
  FetchProgress() = default;
  FetchProgress(const FetchProgress&) = delete;
  FetchProgress& operator=(const FetchProgress&) = delete;
  ~FetchProgress() {
    if (open_) note("\n");
  }

 private:
  bool terminal_ = ::isatty(STDERR_FILENO) == 1;
  bool open_ = false;
  std::chrono::steady_clock::time_point last_;
};

int fetch(const DataArguments& a) {
  const tasks::FetchPlan plan = make_task(a)->download();
  tasks::FetchOptions o;
  o.out = place_of(a);
  o.url = a.url;
  o.bytes = a.bytes;
  if (!a.sha256.empty()) o.sha256 = a.sha256;
  o.stream = a.stream;
  o.keep_archive = a.keep_archive;
  tasks::FetchReport report;
  {
    FetchProgress progress;
    o.progress = [&progress](std::string_view what, std::int64_t done, std::int64_t total) {
      progress(what, done, total);
    };
    report = tasks::fetch(plan, o);
  }
  if (a.json) {
    say("{}\n", json_text(report.to_json(), 2));
    return 0;
  }
  say("{}: {} {}\n", plan.task, report.product.string(),
      report.already ? "exists already" : "fetched");
  say("  from    {} ({} bytes, {} before)\n  sha256  {}\n", report.url, report.bytes,
      report.resumed_from, report.sha256);
  if (report.files > 0) say("  files   {}\n", report.files);
  say("  use     lra data check {}{}\n", plan.task, a.out.empty() ? "" : " --data " + a.out);
  return 0;
}

void print_lengths(const char* what, const tasks::LengthSummary& l) {
  say("    {}: mean {:.1f}, min {}, max {}; quantiles", what, l.mean, l.min, l.max);
  for (std::size_t i = 0; i < l.quantiles.size(); ++i) {
    say(" {:g}%={}", 100 * tasks::kQuantiles[i], l.quantiles[i]);
  }
  say("\n");
  const auto most = *std::max_element(l.histogram.begin(), l.histogram.end());
  for (std::size_t i = 0; i < l.histogram.size(); ++i) {
    if (l.histogram[i] == 0) continue;
    const auto width =
        static_cast<std::size_t>(40 * l.histogram[i] / std::max<std::int64_t>(most, 1));
    say("      {:>6}.. {:>8} {}\n", static_cast<std::int64_t>(i) * l.bin_width, l.histogram[i],
        std::string(width, '#'));
  }
}

void print_check(const tasks::DataCheck& c) {
  if (c.description.empty()) {
    say("{}: not read\n", c.task);
  } else {
    say("{}: {} ({})\n", c.task, c.description, name_of(c.origin));
  }
  for (const tasks::Split split : tasks::kSplits) {
    const auto& s = c.splits[static_cast<std::size_t>(split)];
    if (!c.complete && s.examples == 0) continue;  // not reached
    say("  {}: {} examples, sha256 {}\n", tasks::split_name(split), s.examples, s.sha256);
    if (s.examples == 0) continue;
    say("    labels:");
    for (std::size_t k = 0; k < s.labels.size(); ++k) {
      say(" {}={:.2f}%", k < c.class_names.size() ? c.class_names[k] : std::to_string(k),
          100 * static_cast<double>(s.labels[k]) / static_cast<double>(s.examples));
    }
    say("\n");
    if (s.in_train > 0) say("    in train as well: {} examples\n", s.in_train);
    print_lengths("lengths", s.lengths);
    if (s.second_lengths.max > 0) print_lengths("second lengths", s.second_lengths);
  }
  for (const auto& fault : c.faults) say("  fault: {}\n", fault);
  say("{} fault{}{}\n", c.fault_count, c.fault_count == 1 ? "" : "s",
      c.complete ? "" : "; not read to the end");
}

// Scores of predictors without a trained model, fitted at the first call for these data.
std::vector<tasks::Shortcut> fit_baselines(const tasks::Task& task,
                                           const tasks::OpenOptions& options) {
  return tasks::shortcuts(task, task.open(options),
                          [](std::string_view name, std::int64_t number, std::int64_t count) {
                            note("baseline {}/{}: {}\n", number, count, name);
                          });
}

void print_baselines(const std::vector<tasks::Shortcut>& baselines) {
  std::size_t width = 0;
  for (const auto& b : baselines) width = std::max(width, b.name.size());
  say("  baselines, fitted on train, on {} labels of test:\n",
      baselines.empty() ? 0 : baselines.front().count);
  for (const auto& b : baselines) {
    say("    {:<{}}  {:6.2f} %  {:6.1f} s  {}\n", b.name, width, 100 * b.accuracy, b.seconds,
        b.description);
  }
}

json baselines_json(const std::vector<tasks::Shortcut>& baselines) {
  json list = json::array();
  for (const auto& b : baselines) {
    list.push_back({{"name", b.name},
                    {"sees", b.description},
                    {"test_accuracy", b.accuracy},
                    {"count", b.count},
                    {"seconds", b.seconds}});
  }
  return list;
}

int check(const DataArguments& a) {
  const auto task = make_task_of_data(a);
  const bool counted = std::any_of(a.counts.begin(), a.counts.end(), [](auto n) { return n >= 0; });
  if (counted && !task->find(open_options(a)).path.empty()) {
    fail(ErrorKind::usage,
         "data check: a data set in files is read whole; --train, --val and --test apply only to "
         "generated data");
  }
  const tasks::DataCheck result = tasks::check(*task, open_options(a));
  json text = result.to_json();
  if (!a.json) print_check(result);
  if (a.baselines && result.fault_count == 0) {
    const auto baselines = fit_baselines(*task, open_options(a));
    text["baselines"] = baselines_json(baselines);
    if (!a.json) print_baselines(baselines);
  }
  if (a.json) say("{}\n", json_text(text, 2));
  return result.fault_count > 0 ? exit_code(ErrorKind::data) : 0;
}

void add_common(CLI::App* command, const std::shared_ptr<DataArguments>& a) {
  command->add_option("TASK", a->task, "task (lra list tasks)")->type_name("TASK")->required();
  command->add_option("--seed", a->seed, "seed of generated data")->capture_default_str();
  const CLI::Range count(std::int64_t{1}, kMostExamples);
  command->add_option("--train", a->counts[0], "number of training examples (default: the task's)")
      ->check(count);
  command->add_option("--val", a->counts[1], "number of validation examples (default: the task's)")
      ->check(count);
  command->add_option("--test", a->counts[2], "number of test examples (default: the task's)")
      ->check(count);
  command->add_option("--set", a->settings, "task option to change (repeatable)");
  command->add_flag("--json", a->json, "print JSON instead of text");
}

}  // namespace

json task_settings(const std::vector<std::string>& settings) {
  json options = json::object();
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos) {
      fail(ErrorKind::usage, "--set {}: expected KEY=VALUE", setting);
    }
    const std::string key = setting.substr(0, equals);
    options[key.starts_with("task.") ? key.substr(5) : key] = setting.substr(equals + 1);
  }
  return options;
}

void add_data(CLI::App& app, Action& action) {
  auto* data = app.add_subcommand("data", "generate, download or check data sets");
  data->require_subcommand(1);
  auto a = std::make_shared<DataArguments>();
  auto* make_command = data->add_subcommand("make", "generate data in the official file format");
  add_common(make_command, a);
  const char* out_help = "output folder (default: $LRA_DATA, else the user's cache)";
  make_command->add_option("--out", a->out, out_help)->type_name("DIR");
  make_command->callback([a, &action] { action = [a] { return make(*a); }; });
  auto* fetch_command = data->add_subcommand(
      "fetch", "download, check and unpack the official data; resumes partial downloads");
  fetch_command->add_option("TASK", a->task, "task (lra list tasks)")
      ->type_name("TASK")
      ->required();
  fetch_command->add_option("--out", a->out, out_help)->type_name("DIR");
  fetch_command->add_option(
      "--url", a->url, "alternative address; disables the check of the official size and digest");
  fetch_command->add_option("--bytes", a->bytes, "required size of the file in bytes")
      ->check(non_negative());
  fetch_command->add_option("--sha256", a->sha256, "required SHA-256 digest of the file");
  fetch_command->add_flag("--stream", a->stream,
                          "unpack while it arrives, without the archive on disk; a call that was "
                          "killed then starts again");
  fetch_command->add_flag("--keep-archive", a->keep_archive, "keep the downloaded archive");
  fetch_command->add_option("--set", a->settings,
                            "task option to change, e.g. size=64 (repeatable)");
  fetch_command->add_flag("--json", a->json, "print JSON instead of text");
  fetch_command->callback([a, &action] { action = [a] { return fetch(*a); }; });
  auto* check_command = data->add_subcommand(
      "check", "read a whole data set; prints counts, label balance, lengths and faults");
  add_common(check_command, a);
  check_command->add_option("--data", a->data,
                            "data folder or archive (default: the place that lra train uses)");
  check_command->add_flag("--baselines", a->baselines,
                          "fit the trivial and classical predictors on train and print their "
                          "accuracy on test; takes minutes at the first call, results are kept");
  check_command->callback([a, &action] { action = [a] { return check(*a); }; });
}

}  // namespace lra::harness::cli

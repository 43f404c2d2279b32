#include "harness/cluster/submit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/cluster/costs.h"
#include "harness/cluster/folder.h"
#include "harness/cluster/plan.h"
#include "harness/cluster/slurm.h"
#include "harness/cluster/words.h"
#include "harness/run/ended.h"
#include "harness/suite/bench.h"

namespace lra::harness::cluster {
namespace {

namespace fs = std::filesystem;

// One submission.
class Round {
 public:
  Round(const Suite& suite, const ClusterOptions& options, const Overview& overview)
      : suite_(suite), options_(options), overview_(overview) {}

  Submission submit() {
    const Costs costs = load_costs(options_.out, options_.plan.cores);
    std::vector<PlannedRun> planned;
    std::size_t unknown = 0;
    for (std::size_t i = 0; i < suite_.runs.size(); ++i) {
      const RunStatus& status = overview_.runs[i];
      if (status.queued || status.place == Place::ended || status.place == Place::running) continue;
      const auto cost = costs.runs.find(suite_.runs[i].name);
      if (cost != costs.runs.end()) {
        planned.push_back({i, cost->second});
      } else {
        ++unknown;
      }
    }
    const bool bench = suite_.bench && !overview_.has(kBench) &&
                       !bench_is_complete(suite_, saved_benches(suite_, options_.out));
    const bool estimates = !options_.estimated && !overview_.has(kEstimate) &&
                           (unknown > 0 || (bench && !costs.bench_seconds));
    begin(!planned.empty() || bench || estimates);
    if (estimates) add_estimate(unknown);
    if (!planned.empty()) {
      const auto measured = add_measurement(planned);
      add_training(planned, measured);
    }
    if (bench && costs.bench_seconds) add_bench(*costs.bench_seconds);
    add_tables();
    if (folder_.empty()) return std::move(submission_);
    write_ids();
    return std::move(submission_);
  }

 private:
  // A number not used by a queued job or an earlier submission.
  void begin(bool anything) {
    if (!anything && !needs_tables()) return;
    std::set<int> queued;
    for (const QueuedTask& task : overview_.queue) queued.insert(task.name.round);
    for (round_ = 1;; ++round_) {
      folder_ = round_folder(options_, round_);
      if (queued.count(round_) == 0 && !is_there(folder_ / "submitted.txt")) break;
    }
    std::error_code code;
    fs::remove_all(folder_, code);  // files of a dry run
    fs::create_directories(slurm_folder(options_) / "logs", code);
    if (code) {
      fail(ErrorKind::io, "{}: cannot create: {}", slurm_folder(options_).string(), code.message());
    }
  }

  [[nodiscard]] Script script(const std::string& name, const std::string& comment) const {
    Script s;
    s.comment = comment;
    s.name = JobName{job_prefix(suite_.name, options_.out), round_, name}.text();
    s.folder = slurm_folder(options_);
    s.options = options_.slurm;
    return s;
  }

  // `lra run SUITE --out DIR ...` as a line of shell.
  [[nodiscard]] std::string command(const std::vector<std::string>& more) const {
    std::vector<std::string> words{"run", options_.suite, "--out", options_.out.string()};
    words.insert(words.end(), options_.arguments.begin(), options_.arguments.end());
    words.insert(words.end(), more.begin(), more.end());
    return options_.program + " " + shell_line(words);
  }

  [[nodiscard]] std::string part_command(SuitePart part, int cores) const {
    return command({"--part", std::string(name_of(part)), "--threads", std::to_string(cores)});
  }

  // A task's runs are on its line of the list.
  [[nodiscard]] std::string only_of(const std::string& name) const {
    return fmt::format(" --only \"$(sed -n \"${{SLURM_ARRAY_TASK_ID}}p\" {})\"",
                       shell_word((folder_ / (name + ".runs")).string()));
  }

  [[nodiscard]] std::string ids_of(const std::vector<std::size_t>& runs) const {
    std::vector<std::string> ids;
    ids.reserve(runs.size());
    for (const std::size_t run : runs) ids.push_back(short_id(suite_.runs[run]));
    return fmt::format("{}", fmt::join(ids, ","));
  }

  void write_list(const std::string& name, const std::vector<Task>& tasks) const {
    std::string text;
    for (const Task& task : tasks) text += ids_of(task.runs) + "\n";
    write_file_atomic(folder_ / (name + ".runs"), text);
  }

  // Writes the file and submits it. Returns the id; empty in a dry run and where it was refused.
  std::string add(const std::string& name, const Script& s, const std::string& what,
                  const std::vector<std::string>& after) {
    SubmittedJob job;
    job.script = folder_ / (name + ".sbatch");
    job.what = what;
    write_file_atomic(job.script, text_of(s));
    if (!options_.dry_run) {
      try {
        job.id = submit_script(job.script, after);
      } catch (const Error& error) {
        job.fault = error.what();
      }
    }
    submission_.jobs.push_back(job);
    return job.id;
  }

  void add_estimate(std::size_t runs) {
    Script s = script(kEstimate,
                      "Opens the data, estimates the cost of each run on this node, then "
                      "writes and submits the arrays.");
    s.cores = options_.plan.cores;
    s.exclusive = true;
    s.gigabytes = 0;
    s.hours = 4;
    s.command = command(options_.estimate);
    static_cast<void>(
        add(kEstimate, s, fmt::format("estimates {} runs, then submits them", runs), {}));
    submission_.notes.emplace_back(
        options_.dry_run
            ? "the arrays follow from the estimates of the first job; --estimate makes them here"
            : "the arrays follow from the estimates; this job submits them");
  }

  // Variants of one task and seed are measured alternately by one process.
  std::optional<std::string> add_measurement(const std::vector<PlannedRun>& planned) {
    if (!(options_.measure_seconds > 0)) return std::nullopt;
    if (!has_one_constraint(options_.slurm)) {
      submission_.notes.emplace_back(
          "speed and memory of these runs will be marked as shared; to measure them alone, name "
          "one "
          "kind of node: --slurm \"--constraint=NAME\"");
      return std::nullopt;
    }
    std::map<std::pair<std::string, std::int64_t>, Task> groups;
    for (const PlannedRun& run : planned) {
      const SuiteRun& it = suite_.runs[run.run];
      if (is_there(options_.out / "runs" / it.name / "measurement.json")) continue;
      Task& group = groups[{it.spec.task + it.spec.task_options.dump(), it.spec.seed}];
      group.runs.push_back(run.run);
      // Three rounds of training and inference, warm-up and the data before them.
      constexpr double kPrepare = 10;
      constexpr double kSteps = 20;
      const auto steps = static_cast<double>(std::max<std::int64_t>(1, it.spec.train.steps));
      group.seconds += kPrepare + 4 * options_.measure_seconds + kSteps * run.cost.seconds / steps;
    }
    if (groups.empty()) return std::nullopt;
    const double aim = 60 * std::max(1.0, options_.plan.task_minutes);
    std::vector<Task> tasks;
    for (const auto& [key, group] : groups) {
      if (tasks.empty() || tasks.back().seconds + group.seconds > aim) tasks.emplace_back();
      tasks.back().runs.insert(tasks.back().runs.end(), group.runs.begin(), group.runs.end());
      tasks.back().seconds += group.seconds;
    }
    double longest = 0;
    std::size_t runs = 0;
    for (const Task& task : tasks) {
      longest = std::max(longest, task.seconds);
      runs += task.runs.size();
    }
    Script s =
        script(kMeasure,
               fmt::format("Speed and memory of {} runs, with exclusive use of the node.", runs));
    s.tasks = tasks.size();
    s.at_once = options_.plan.at_once;
    s.cores = options_.plan.cores;
    s.exclusive = true;
    s.gigabytes = 0;
    s.hours = hours_for(longest);
    s.command = part_command(SuitePart::measure, s.cores) + only_of(kMeasure);
    write_list(kMeasure, tasks);
    const std::string id = add(
        kMeasure, s, fmt::format("{} runs in {} tasks, exclusive nodes", runs, tasks.size()), {});
    return id.empty() ? std::nullopt : std::optional(id);
  }

  void add_training(const std::vector<PlannedRun>& planned,
                    const std::optional<std::string>& measured) {
    const auto arrays = plan_arrays(planned, options_.plan);
    std::vector<std::string> ids(arrays.size());
    std::string commands;
    for (std::size_t k = 0; k < arrays.size(); ++k) {
      const Array& array = arrays[k];
      const std::string name = fmt::format("{}-{}", kTrain, k + 1);
      const std::string what = fmt::format("{} runs in {} tasks, {} h and {} GB each", array.runs(),
                                           array.tasks.size(), array.hours, array.gigabytes);
      Script s =
          script(name, fmt::format("{} runs in {} tasks; the longest is estimated at {:.0f} s.",
                                   array.runs(), array.tasks.size(), array.longest()));
      s.tasks = array.tasks.size();
      s.at_once = array.at_once;
      s.cores = options_.plan.cores;
      s.gigabytes = array.gigabytes;
      s.hours = array.hours;
      s.command = part_command(SuitePart::train, s.cores) + only_of(name);
      write_list(name, array.tasks);
      std::vector<std::string> after;
      if (measured) after.push_back(*measured);
      if (array.after && !ids[*array.after].empty()) after.push_back(ids[*array.after]);
      ids[k] = add(name, s, what, after);
      for (const Task& task : array.tasks) {
        commands += part_command(SuitePart::train, s.cores) + " --only " + ids_of(task.runs) + "\n";
      }
    }
    submission_.tasks = slurm_folder(options_) / "tasks.txt";
    write_file_atomic(submission_.tasks, commands);
  }

  void add_bench(double seconds) {
    Script s =
        script(kBench, "Speed and memory over sequence lengths, with exclusive use of the node.");
    s.cores = options_.plan.cores;
    s.exclusive = true;
    s.gigabytes = 0;
    s.hours = hours_for(seconds);
    s.command = part_command(SuitePart::bench, s.cores);
    static_cast<void>(
        add(kBench, s,
            fmt::format("speed and memory over lengths, {} h, an exclusive node", s.hours), {}));
    if (!has_one_constraint(options_.slurm)) {
      submission_.notes.emplace_back(
          "the bench runs on any kind of node; --slurm \"--constraint=NAME\" names one");
    }
  }

  // Ids of the jobs after which the tables change.
  [[nodiscard]] std::vector<std::string> queued_ids() const {
    std::set<std::string> ids;
    for (const QueuedTask& task : overview_.queue) {
      if (task.name.script.starts_with(kTrain) || task.name.script == kBench)
        ids.insert(task.job());
    }
    return {ids.begin(), ids.end()};
  }

  [[nodiscard]] bool needs_tables() const {
    return !queued_ids().empty() && !overview_.has(kTables);
  }

  void add_tables() {
    std::vector<std::string> after = queued_ids();
    const std::size_t before = after.size();
    bool makes_results = false;
    for (const SubmittedJob& job : submission_.jobs) {
      const std::string name = job.script.stem().string();
      if (name == kEstimate || name == kMeasure) continue;
      makes_results = true;
      if (!job.id.empty()) after.push_back(job.id);
    }
    const bool fresh = options_.dry_run ? makes_results : after.size() > before;
    if (!fresh && !needs_tables()) return;
    Script s = script(
        kTables,
        "Leaderboard, tables and report of the existing results when the other jobs have ended; "
        "submitted with --dependency=afterany:...");
    s.gigabytes = 2;
    s.command = command({"--part", std::string(name_of(SuitePart::tables))});
    static_cast<void>(add(kTables, s, "leaderboard, tables, report; after the others", after));
  }

  void write_ids() const {
    std::string text;
    for (const SubmittedJob& job : submission_.jobs) {
      if (!job.id.empty()) text += fmt::format("{} {}\n", job.id, job.script.filename().string());
    }
    if (!text.empty()) write_file_atomic(folder_ / "submitted.txt", text);
  }

  const Suite& suite_;
  const ClusterOptions& options_;
  const Overview& overview_;
  int round_ = 0;
  fs::path folder_;
  Submission submission_;
};

}  // namespace

bool Submission::complete() const {
  return std::all_of(jobs.begin(), jobs.end(),
                     [](const SubmittedJob& job) { return job.fault.empty(); });
}

Submission submit(const Suite& suite, const ClusterOptions& options, const Overview& overview) {
  return Round(suite, options, overview).submit();
}

}  // namespace lra::harness::cluster

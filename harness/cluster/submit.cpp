#include "harness/cluster/submit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/cluster/words.h"
#include "harness/run/ended.h"
#include "harness/run/lock.h"
#include "harness/suite/bench.h"
#include "results/record/record.h"

namespace lra::harness::cluster {
namespace {

namespace fs = std::filesystem;
using results::Status;

constexpr const char* kEstimate = "estimate";
constexpr const char* kMeasure = "measure";
constexpr const char* kTrain = "train";
constexpr const char* kBench = "bench";
constexpr const char* kTables = "tables";

fs::path slurm_folder(const ClusterOptions& options) { return options.out / "slurm"; }

fs::path round_folder(const ClusterOptions& options, int round) {
  return slurm_folder(options) / std::to_string(round);
}

// The first digits of a run's digest, with which its folder's name ends.
std::string short_id(const SuiteRun& run) { return run.name.substr(run.name.rfind('-') + 1); }

// The runs of a queued training task, by their short ids.
std::vector<std::string> runs_of(const QueuedTask& task, const ClusterOptions& options) {
  const fs::path file = round_folder(options, task.name.round) / (task.name.script + ".runs");
  std::ifstream stream(file);
  std::string line;
  for (std::size_t number = 0; std::getline(stream, line);) {
    if (++number != task.task) continue;
    std::vector<std::string> ids;
    for (std::size_t begin = 0; begin < line.size();) {
      const std::size_t end = std::min(line.find(',', begin), line.size());
      ids.push_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
    return ids;
  }
  fail(
      ErrorKind::io,
      "{}: job {} is in the queue, its line {} is not in this file; cancel the job (scancel {}) or "
      "wait for its end",
      file.string(), task.id, task.task, task.job());
}

std::string place_of(const QueuedTask& task) {
  if (!task.node.empty()) return fmt::format("job {} on {}", task.id, task.node);
  return fmt::format("job {} ({})", task.id, task.reason.empty() ? "None" : task.reason);
}

// The state of a run according to its folder.
RunStatus status_of_folder(const SuiteRun& run, const fs::path& folder) {
  RunStatus status;
  try {
    const auto found = saved_record(run.spec, folder);
    if (!found) return status;
    const results::Record& record = *found;
    switch (record.status) {
      case Status::completed:
        // Stopped between the result and its baselines; the same command adds them.
        if (record.baselines.empty() && is_there(folder / kCheckpointFile)) {
          status.text = "has its result, not its baselines";
          break;
        }
        status.place = Place::ended;
        if (record.accuracy.value.test) {
          status.text = fmt::format("test {:.1f}%", 100 * *record.accuracy.value.test);
        }
        break;
      case Status::diverged:
        status.place = Place::ended;
        status.text = "diverged: " + record.failure.value_or("");
        break;
      case Status::interrupted:
        status.text = fmt::format("stopped at step {}", record.training.steps_done.value_or(0));
        break;
      case Status::failed:
        status.place = Place::failed;
        status.text = record.failure.value_or("no reason recorded");
        break;
    }
  } catch (const Error& error) {
    status.place = Place::failed;
    status.text = error.what();
  }
  return status;
}

bool is_locked(const fs::path& folder) {
  return is_there(folder / ".lock") && try_lock_run(folder) == nullptr;
}

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

std::size_t Overview::count(Place place) const {
  return static_cast<std::size_t>(std::count_if(
      runs.begin(), runs.end(), [place](const RunStatus& s) { return s.place == place; }));
}

bool Overview::has(const std::string& script) const {
  return std::any_of(queue.begin(), queue.end(),
                     [&](const QueuedTask& task) { return task.name.script == script; });
}

Overview survey(const Suite& suite, const ClusterOptions& options, std::vector<QueuedTask> queue) {
  Overview overview;
  std::map<std::string, const QueuedTask*> held;  // by a run's short id
  for (const QueuedTask& task : queue) {
    if (!task.name.script.starts_with(kTrain)) continue;
    for (const std::string& id : runs_of(task, options)) held[id] = &task;
  }
  for (const SuiteRun& run : suite.runs) {
    const fs::path folder = options.out / "runs" / run.name;
    RunStatus status = status_of_folder(run, folder);
    const auto found = held.find(short_id(run));
    status.queued = found != held.end();
    if (status.place != Place::ended) {
      if (is_locked(folder)) {
        status.place = Place::running;
        status.text =
            status.queued ? place_of(*found->second) : "by a process outside of the queue";
      } else if (status.queued && (found->second->pending() || status.place == Place::open)) {
        status.place = Place::pending;
        status.text = place_of(*found->second);
      }
    }
    overview.runs.push_back(std::move(status));
  }
  overview.queue = std::move(queue);
  return overview;
}

bool Submission::complete() const {
  return std::all_of(jobs.begin(), jobs.end(),
                     [](const SubmittedJob& job) { return job.fault.empty(); });
}

Submission submit(const Suite& suite, const ClusterOptions& options, const Overview& overview) {
  return Round(suite, options, overview).submit();
}

}  // namespace lra::harness::cluster

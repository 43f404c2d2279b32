// lra run --on slurm: a suite as jobs of a cluster.

#include "harness/cli/cluster.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/cli/cli.h"
#include "harness/cli/definitions.h"
#include "harness/cli/events.h"
#include "harness/cli/output.h"
#include "harness/cli/signals.h"
#include "harness/cli/suite_view.h"
#include "harness/cluster/costs.h"
#include "harness/cluster/options.h"
#include "harness/cluster/slurm.h"
#include "harness/cluster/submit.h"
#include "harness/cluster/survey.h"
#include "harness/cluster/words.h"
#include "harness/run/environment.h"
#include "harness/workers/workers.h"

namespace lra::harness::cli {
namespace {

namespace fs = std::filesystem;
using cluster::ClusterOptions;
using cluster::Place;

constexpr const char* kJsonFile = ".json";

fs::path absolute_path(const fs::path& path) { return fs::absolute(path).lexically_normal(); }

// Characters that sbatch does not accept in a path: a backslash changes how it reads file names.
void require_usable(const fs::path& path) {
  if (path.string().find_first_of("\\\n\r") == std::string::npos) return;
  fail(
      ErrorKind::usage,
      "--out {}: Slurm does not take a path with a backslash or a line break; choose another --out",
      path.string());
}

std::string this_program() { return fs::read_symlink("/proc/self/exe").string(); }

// Independent of a job's working folder and environment.
std::string absolute_data(const RunArguments& a) {
  const char* environment = std::getenv("LRA_DATA");
  const std::string place = !a.data.empty() ? a.data : environment != nullptr ? environment : "";
  return place.empty() ? place : absolute_path(place).string();
}

std::string number(double value) { return fmt::format("{}", value); }

ClusterOptions cluster_options(const RunArguments& a, const fs::path& out) {
  ClusterOptions o;
  o.out = absolute_path(out);
  require_usable(o.out);
  o.program = a.program.empty() ? cluster::shell_word(this_program()) : a.program;
  o.suite = a.suite.ends_with(kJsonFile) ? absolute_path(a.suite).string() : a.suite;
  const auto add = [](std::vector<std::string>& to, std::initializer_list<std::string> words) {
    to.insert(to.end(), words);
  };
  const RunArguments defaults;
  for (const std::string& option : a.program_options) add(o.arguments, {option});
  if (const std::string data = absolute_data(a); !data.empty()) add(o.arguments, {"--data", data});
  for (const std::string& setting : a.settings)
    add(o.arguments, {"--set", placed_setting(setting, fs::current_path())});
  if (a.checkpoint_seconds != defaults.checkpoint_seconds) {
    add(o.arguments, {"--checkpoint-seconds", number(a.checkpoint_seconds)});
  }
  if (a.measure_seconds != defaults.measure_seconds) {
    add(o.arguments, {"--measure-seconds", number(a.measure_seconds)});
  }
  if (a.keep_going) add(o.arguments, {"--keep-going"});
  add(o.estimate, {"--on", "slurm", "--cores", std::to_string(a.cores)});
  if (a.at_once > 0) add(o.estimate, {"--at-once", std::to_string(a.at_once)});
  if (a.task_minutes != defaults.task_minutes) {
    add(o.estimate, {"--task-minutes", number(a.task_minutes)});
  }
  if (!a.slurm.empty()) add(o.estimate, {"--slurm=" + a.slurm});
  if (!a.program.empty()) add(o.estimate, {"--program", a.program});
  add(o.estimate, {"--estimate"});
  o.slurm = cluster::slurm_options(a.slurm);
  o.plan = {a.cores, a.task_minutes, a.at_once};
  o.measure_seconds = a.measure_seconds;
  o.dry_run = a.dry_run;
  o.estimated = a.estimate;
  return o;
}

// Estimates on this machine the runs without an estimate. False if stopped by a signal.
bool estimate_here(const Suite& suite, const RunArguments& a, const fs::path& out) {
  const std::atomic<bool>& stop = stop_on_signals();
  cluster::Costs costs = cluster::load_costs(out, a.cores);
  SuiteOptions options;
  options.out = out;
  options.data = a.data;
  options.threads = a.cores;
  options.memory_bytes = std::numeric_limits<std::int64_t>::max();  // another node may have it
  options.costs = costs.runs;
  options.stop = &stop;
  EventStream events("");
  SuiteView view(suite, events, stop);
  costs.runs.merge(begin_suite(suite, options, view));
  costs.cpu = environment(a.cores, 1).cpu;
  if (suite.bench && !costs.bench_seconds) {
    try {
      double seconds = 0;
      for (const results::BenchMode mode : suite.bench->modes) {
        for (BenchOptions variant : suite.bench->variants) {
          variant.mode = mode;
          variant.threads = a.cores;
          seconds += estimate_bench(variant, suite.bench->lengths, &stop).seconds;
        }
      }
      costs.bench_seconds = seconds;
    } catch (const Interrupted&) {  // what is known is kept
    }
  }
  cluster::save_costs(out, costs);
  return !stop;
}

std::string label(const SuiteRun& run) {
  return fmt::format("{}/{} s{}", run.spec.task, run.spec.attention, run.spec.seed);
}

void show(const Suite& suite, const cluster::Overview& overview) {
  std::vector<std::string> counts;
  for (const Place place :
       {Place::ended, Place::running, Place::pending, Place::failed, Place::open}) {
    const std::size_t count = overview.count(place);
    if (count > 0) counts.push_back(fmt::format("{} {}", count, name_of(place)));
  }
  say("{}: {} runs{}{}\n", suite.name, suite.runs.size(), counts.empty() ? "" : ": ",
      fmt::join(counts, ", "));
  for (std::size_t i = 0; i < suite.runs.size(); ++i) {
    const cluster::RunStatus& status = overview.runs[i];
    say("  {:<40} {:<8} {}\n", label(suite.runs[i]), name_of(status.place), status.text);
  }
  for (const cluster::QueuedTask& task : overview.queue) {
    if (task.name.script.starts_with("train")) continue;
    say("  {:<40} {:<8} job {}{}\n", task.name.script, task.pending() ? "pending" : "running",
        task.id, task.node.empty() ? " (" + task.reason + ")" : " on " + task.node);
  }
}

void show(const cluster::Submission& submission, bool dry_run) {
  if (!submission.jobs.empty()) {
    say("{}:\n", dry_run ? "written, not submitted" : "submitted");
  }
  for (const cluster::SubmittedJob& job : submission.jobs) {
    if (!job.fault.empty()) continue;
    say("  {}{:<17} {}\n", dry_run ? "" : fmt::format("{:<8} ", job.id),
        job.script.filename().string(), job.what);
  }
  if (!submission.jobs.empty()) say("files {}\n", submission.jobs[0].script.parent_path().string());
  if (!submission.tasks.empty()) say("tasks {}\n", submission.tasks.string());
  std::fflush(stdout);
  for (const std::string& text : submission.notes) note("lra: {}\n", text);
  for (const cluster::SubmittedJob& job : submission.jobs) {
    if (!job.fault.empty()) note("lra: not submitted: {}\n", job.fault);
  }
}

}  // namespace

void add_cluster_options(CLI::App& command, const std::shared_ptr<RunArguments>& a) {
  const auto mark = [a](CLI::Option* option) {
    option->each(
        [a, name = option->get_name()](const std::string&) { a->cluster_given.push_back(name); });
    return option;
  };
  command.add_option("--on", a->on, "submit the suite to a cluster and return: slurm")
      ->check(one_of({"slurm"}));
  mark(command.add_option("--cores", a->cores, "cores of a job, and runs at once in it"))
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  mark(command.add_option("--at-once", a->at_once, "limit of simultaneous jobs; 0 means no limit"))
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  mark(command.add_option("--task-minutes", a->task_minutes,
                          "estimated minutes of short runs that make a job; 0 means a job for each "
                          "run"))
      ->check(non_negative())
      ->capture_default_str();
  mark(command.add_option("--slurm", a->slurm,
                          "further options of sbatch for all jobs, in one argument: "
                          "--slurm=\"--partition=main --constraint=rome\""))
      ->type_name("OPTIONS");
  mark(command.add_option("--program", a->program,
                          "shell words that start lra on a node, such as \"apptainer run lra.sif\" "
                          "(default: the path of this program)"))
      ->type_name("COMMAND");
  command.add_flag_callback(
      "--estimate",
      [a] {
        a->estimate = true;
        a->cluster_given.emplace_back("--estimate");
      },
      "with --on, estimate the runs on this machine now, not in a first job");
  // Options of the whole program are parsed before the command's callback runs.
  command.parse_complete_callback([&command, a] {
    const CLI::App* app = command.get_parent();
    for (const auto& plugin : app->get_option("--plugin")->results()) {
      a->program_options.insert(a->program_options.end(),
                                {"--plugin", absolute_path(plugin).string()});
    }
    if (app->get_option("--no-locks")->count() > 0) a->program_options.emplace_back("--no-locks");
  });
}

std::optional<SuitePart> part_of(const RunArguments& a) { return enum_of<SuitePart>(a.part); }

void require_consistent(const RunArguments& a) {
  const auto part = part_of(a);
  if (a.on.empty()) {
    if (!a.cluster_given.empty()) {
      fail(ErrorKind::usage, "{} needs --on slurm", a.cluster_given.front());
    }
    if (a.has_only && (part == SuitePart::bench || part == SuitePart::tables)) {
      fail(ErrorKind::usage, "--only selects runs; --part {} applies to the whole suite", a.part);
    }
    if (part == SuitePart::measure && !(a.measure_seconds > 0)) {
      fail(ErrorKind::usage, "--part measure needs --measure-seconds above 0");
    }
    return;
  }
  const auto refuse = [](bool given, const char* option, const char* instead) {
    if (given) fail(ErrorKind::usage, "{} cannot be given with --on; {}", option, instead);
  };
  refuse(a.threads > 0, "--threads", "--cores is for that");
  refuse(a.memory_gb > 0, "--memory", "each job requests the estimated memory of its runs");
  refuse(!a.events.empty(), "--events", "each job has a log");
  refuse(a.has_only, "--only", "all runs that have not ended are submitted");
  refuse(!a.part.empty(), "--part", "the jobs are the parts");
}

int run_on_slurm(const Suite& given, const RunArguments& a, const fs::path& out,
                 const std::function<int()>& all_ended) {
  const ClusterOptions options = cluster_options(a, out);
  Suite suite = given;
  if (a.estimate) {
    if (!estimate_here(suite, a, out)) {
      note("lra: stopped; the same command continues\n");
      return kInterrupted;
    }
    adopt_begun(suite, out);
  }
  // One submission at a time.
  const FileLock lock(options.out / "slurm" / ".lock");
  std::vector<cluster::QueuedTask> queue;
  try {
    queue = cluster::read_queue(cluster::job_prefix(suite.name, options.out));
  } catch (const Error& error) {
    if (!a.dry_run) throw;  // files can be written without Slurm
    note("lra: {}; the queue is taken as empty\n", error.what());
  }
  const auto overview = cluster::survey(suite, options, std::move(queue));
  show(suite, overview);
  const auto submission = cluster::submit(suite, options, overview);
  show(submission, a.dry_run);
  if (!submission.complete()) return 1;
  const bool done = submission.jobs.empty() && overview.queue.empty() &&
                    overview.count(Place::ended) == suite.runs.size();
  return done && !a.dry_run ? all_ended() : 0;
}

}  // namespace lra::harness::cli

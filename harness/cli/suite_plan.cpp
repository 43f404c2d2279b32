#include "harness/cli/suite_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <set>

#include "engine/base/error.h"
#include "engine/base/resources.h"
#include "engine/runtime.h"
#include "harness/cli/output.h"
#include "harness/cli/signals.h"
#include "harness/run/ended.h"
#include "harness/suite/bench.h"
#include "harness/suite/data.h"
#include "harness/suite/estimate.h"

namespace lra::harness::cli {
namespace {

namespace fs = std::filesystem;

// "3.4 days", "3 h 20 min", "12 min", "45 s".
std::string duration(double seconds) {
  constexpr double kDay = 86400;
  if (seconds >= 2 * kDay) return fmt::format("{:.1f} days", seconds / kDay);
  const std::int64_t whole = std::llround(seconds);
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  return whole >= 60 ? fmt::format("{} min", whole / 60) : fmt::format("{} s", whole);
}

struct Total {
  double seconds = 0;
  std::int64_t bytes = 0;   // of the largest
  std::size_t unknown = 0;  // runs without an estimate
  std::size_t refused = 0;  // runs that could not begin: without an estimate, or memory for them
};

// Settings of a plan.
struct PlanOptions {
  fs::path out;
  fs::path data;
  int threads = 0;
  std::int64_t memory_bytes = 0;
  const std::atomic<bool>* stop = nullptr;
};

// The end of a plan's line, which represents `runs` equal runs.
void print_cost(const Estimate& cost, std::size_t runs, const PlanOptions& plan, bool fits,
                Total& total) {
  const std::int64_t bytes = bytes_of({cost.memory}, plan.threads);
  if (!cost.known) {
    say("{}\n", cost.failure);
    total.unknown += runs;
    return;
  }
  say("{}{}, {} MB{}\n", duration(cost.seconds), runs > 1 ? " each" : "", needed_megabytes(bytes),
      fits ? ""
           : fmt::format(", more than the {} MB that may be used",
                         allowed_megabytes(plan.memory_bytes)));
  std::fflush(stdout);
  total.seconds += static_cast<double>(runs) * cost.seconds;
  total.bytes = std::max(total.bytes, bytes);
}

std::string plan_text(const FoundData& found) {
  if (!found.to_make) return describe(*found.used);
  const auto counts = found.used->counts;
  const auto text = [](std::int64_t n) {
    return n < 0 ? "as many as the official" : std::to_string(n);
  };
  const bool given = std::any_of(counts.begin(), counts.end(), [](auto n) { return n >= 0; });
  const std::string examples = given ? fmt::format("{} / {} / {} examples", text(counts[0]),
                                                   text(counts[1]), text(counts[2]))
                                     : "as many examples as the official data";
  return fmt::format("{}: {}, {}", found.used->origin, found.used->description, examples);
}

bool run_has_ended(const SuiteRun& run, const fs::path& out) {
  try {
    const auto record = saved_record(run.spec, out / "runs" / run.name);
    return record && has_ended(*record);
  } catch (const Error&) {
    return false;  // a damaged folder
  }
}

// Runs that differ only by seed share a line and a measurement.
void print_runs(const Suite& suite, const std::vector<FoundData>& found, const PlanOptions& plan,
                Total& total) {
  Estimator estimator(plan.threads, plan.data, plan.stop);
  std::vector<std::string> keys;
  for (const SuiteRun& run : suite.runs) keys.push_back(cost_key(run.spec, plan.threads));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (std::find(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(i), keys[i]) !=
        keys.begin() + static_cast<std::ptrdiff_t>(i)) {
      continue;
    }
    const auto runs = static_cast<std::size_t>(std::count(keys.begin(), keys.end(), keys[i]));
    const RunSpec& spec = suite.runs[i].spec;
    say("  {:<48} {}{} steps of {}, {}: ", suite.runs[i].name,
        runs > 1 ? fmt::format("{} seeds, ", runs) : "", spec.train.steps, spec.train.batch_size,
        name_of(spec.precision));
    std::fflush(stdout);
    const ExampleCounts counts = found[i].used ? found[i].used->counts : spec.counts;
    const Estimate cost = estimator.of(spec, counts);
    std::size_t refused = 0;
    if (!refusal(cost, plan.threads, plan.memory_bytes).empty()) {
      for (std::size_t k = i; k < keys.size(); ++k) {
        if (keys[k] == keys[i] && !run_has_ended(suite.runs[k], plan.out)) ++refused;
      }
    }
    print_cost(cost, runs, plan, refused == 0, total);
    total.refused += refused;
  }
}

void print_bench(const SuiteBench& bench, const PlanOptions& plan, Total& total) {
  for (const results::BenchMode mode : bench.modes) {
    for (BenchOptions options : bench.variants) {
      options.mode = mode;
      options.threads = plan.threads;
      say("  {:<48} {} lengths, batch {}, {}: ",
          fmt::format("{} {}", options.attention, name_of(mode)), bench.lengths.size(),
          options.batch, name_of(options.precision));
      std::fflush(stdout);
      print_cost(estimate_bench(options, bench.lengths, plan.stop), 1, plan, true, total);
    }
  }
}

// The data of each task; returns whether every run has data.
bool print_data(const Suite& suite, const std::vector<FoundData>& found) {
  std::set<std::string> shown;
  bool complete = true;
  say("data:\n");
  for (std::size_t i = 0; i < found.size(); ++i) {
    const FoundData& f = found[i];
    std::string text = f.failure.empty() ? plan_text(f) : "missing: " + f.failure;
    for (const std::string& note : f.notes) text += "\n    " + note;
    complete = complete && f.failure.empty();
    text = fmt::format("  {:<12} {}\n", task_name(suite.runs[i].spec), text);
    if (shown.insert(text).second) say("{}", text);
  }
  std::fflush(stdout);
  return complete;
}

constexpr double kBusyShare = 0.1;  // share of the CPUs above which times are noticeably too long

bool warn_if_busy(int threads) {
  constexpr double kSeconds = 0.5;
  const double busy = busy_cpus(kSeconds);
  if (busy <= kBusyShare * threads) return false;
  note("lra: warning: other programs keep {:.1f} CPUs busy; the times are longer than alone\n",
       busy);
  return true;
}

// What a run of the suite would do, with the exit code that it would have where that can be told.
// Throws Interrupted.
int print_plan(const Suite& suite, const PlanOptions& plan, bool keep_going) {
  FindDataOptions find;
  find.data = plan.data;
  find.make = false;
  find.stop = plan.stop;
  const auto found = find_data(suite, find);
  if (plan.stop->load()) throw Interrupted();
  require_begun_data(suite, found, plan.out);
  say("{}: {}\n", suite.name, suite.description);
  const bool complete = found.empty() || print_data(suite, found);
  say("from trial steps on this machine with {} threads, one run after the other:\n", plan.threads);
  std::fflush(stdout);
  const bool warned = warn_if_busy(plan.threads);
  Total total;
  print_runs(suite, found, plan, total);
  if (suite.bench) print_bench(*suite.bench, plan, total);
  say("{} run{}: {} ({:.2f} days), {} MB", suite.runs.size(), suite.runs.size() == 1 ? "" : "s",
      duration(total.seconds), total.seconds / 86400, needed_megabytes(total.bytes));
  if (total.unknown > 0) say(", without {} that could not be estimated", total.unknown);
  say("\n");
  if (!warned) static_cast<void>(warn_if_busy(plan.threads));
  if (total.refused > 0) {
    std::fflush(stdout);
    note("lra: {} of {} runs do not fit into {} MB, or could not be tried; see --memory\n",
         total.refused, suite.runs.size(), allowed_megabytes(plan.memory_bytes));
  }
  if (!complete) return exit_code(ErrorKind::data);
  return total.refused > 0 && !keep_going ? exit_code(ErrorKind::backend) : 0;
}

}  // namespace

int print_plan(const Suite& whole, const RunArguments& a, const fs::path& out) {
  const Suite suite = a.has_only ? only_runs(whole, a.only) : whole;
  const SuiteOptions options = suite_options(a, out);
  PlanOptions plan;
  plan.out = out;
  plan.data = options.data;
  plan.threads = a.threads > 0 ? a.threads : engine::machine().cores;
  plan.memory_bytes = options.memory_bytes > 0 ? options.memory_bytes : available_memory();
  plan.stop = &stop_on_signals();
  try {
    return print_plan(suite, plan, a.keep_going);
  } catch (const Interrupted&) {
    say("\n");
    note("lra: stopped before the plan was complete\n");
    return kInterrupted;
  }
}

}  // namespace lra::harness::cli

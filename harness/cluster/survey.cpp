#include "harness/cluster/survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "engine/base/error.h"
#include "harness/cluster/folder.h"
#include "harness/run/ended.h"
#include "harness/run/lock.h"
#include "results/record/record.h"

namespace lra::harness::cluster {
namespace {

namespace fs = std::filesystem;
using results::Status;

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

}  // namespace lra::harness::cluster

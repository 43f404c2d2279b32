#include "harness/cli/events.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "engine/base/error.h"
#include "harness/cli/output.h"

namespace lra::harness::cli {
namespace {

using nlohmann::json;

const char* phase_name(Progress::Phase phase) {
  switch (phase) {
    case Progress::Phase::data:
      return "data";
    case Progress::Phase::training:
      return "training";
    case Progress::Phase::evaluation:
      return "evaluation";
    case Progress::Phase::finished:
      return "finished";
  }
  return "";
}

}  // namespace

EventStream::EventStream(const std::filesystem::path& path) : path_(path.string()) {
  if (path.empty()) return;
  file_.open(path, std::ios::app);
  if (!file_) fail(ErrorKind::io, "{}: cannot open for events", path.string());
}

void EventStream::write(json event) {
  if (!file_.is_open()) return;
  event["time"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  const std::string line = event.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
  file_ << line << std::flush;
  if (file_) return;
  // A failing observer does not end the observed runs.
  note("lra: {}: cannot write events any more; is the disk full? The runs go on\n", path_);
  file_.close();
}

void EventStream::suite(const Suite& suite) {
  json names = json::array();
  for (const SuiteRun& run : suite.runs) names.push_back(run.name);
  write({{"event", "suite"}, {"suite", suite.name}, {"runs", names}});
}

void EventStream::progress(const std::string& run, const Progress& p) {
  json event{{"event", "progress"}, {"run", run}, {"phase", phase_name(p.phase)}};
  if (p.steps > 0) {
    event["step"] = p.step;
    event["steps"] = p.steps;
  }
  if (p.phase == Progress::Phase::training) {
    event["loss"] = p.loss;
    event["accuracy"] = p.accuracy;
    event["tokens_per_second"] = p.tokens_per_second;
    event["seconds_left"] = p.seconds_left;
  }
  if (p.val_accuracy >= 0) event["val_accuracy"] = p.val_accuracy;
  write(std::move(event));
}

void EventStream::record(const std::string& run, const results::Record& record) {
  json event{{"event", "record"}, {"run", run}, {"status", name_of(record.status)}};
  if (record.accuracy.value.test) event["test_accuracy"] = *record.accuracy.value.test;
  if (record.failure) event["failure"] = *record.failure;
  write(std::move(event));
}

void EventStream::phase(const std::string& name) { write({{"event", "phase"}, {"phase", name}}); }

void EventStream::work(const std::string& phase, const std::vector<std::string>& runs,
                       std::size_t first, std::size_t total) {
  write({{"event", "work"}, {"phase", phase}, {"runs", runs}, {"first", first}, {"total", total}});
}

void EventStream::measured(const std::string& run, const Measurement& m) {
  json event{{"event", "measured"}, {"run", run}, {"peak_tensor_bytes", m.peak_tensor_bytes}};
  if (const auto ms = m.train.quantiles()) {
    event["train_step_ms"] = {{"median", ms->median}, {"p10", ms->p10}, {"p90", ms->p90}};
  }
  write(std::move(event));
}

void EventStream::bench(const results::BenchRecord& record, const results::BenchPoint& point) {
  json event{{"event", "bench"},
             {"attention", record.attention.name},
             {"mode", name_of(record.mode)},
             {"n", point.n},
             {"status", name_of(point.status)}};
  if (point.steps_per_second) event["steps_per_second"] = *point.steps_per_second;
  if (point.peak_tensor_bytes) event["peak_tensor_bytes"] = *point.peak_tensor_bytes;
  write(std::move(event));
}

void EventStream::usage(const std::string& phase, const Usage& u) {
  write({{"event", "usage"},
         {"phase", phase},
         {"wall_seconds", u.wall_seconds},
         {"cpu_seconds", u.cpu_seconds},
         {"threads", u.threads},
         {"busy_share", u.busy_share()}});
}

void EventStream::end(const SuiteOutcome& outcome, bool stopped) {
  json event{{"event", "end"}, {"stopped", stopped}};
  for (const auto status :
       {results::Status::completed, results::Status::diverged, results::Status::failed}) {
    event[std::string(name_of(status))] =
        std::count_if(outcome.records.begin(), outcome.records.end(),
                      [status](const auto& record) { return record && record->status == status; });
  }
  write(std::move(event));
}

}  // namespace lra::harness::cli

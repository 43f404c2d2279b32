#include "harness/suite/execute.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/resources.h"
#include "engine/runtime.h"
#include "harness/measure/rehearsal.h"
#include "harness/run/ended.h"
#include "harness/run/lock.h"
#include "harness/run/record.h"
#include "harness/suite/data.h"
#include "harness/suite/estimate.h"
#include "harness/suite/phases.h"
#include "results/record/record.h"

namespace lra::harness {
namespace {

namespace fs = std::filesystem;
using results::Record;
using results::Status;

class SuiteExecution {
 public:
  SuiteExecution(const Suite& suite, const SuiteOptions& options, SuiteObserver& observer)
      : suite_(suite),
        options_(options),
        observer_(observer),
        threads_(options.threads > 0 ? options.threads : engine::machine().cores),
        memory_(options.memory_bytes > 0 ? options.memory_bytes : available_memory()),
        costs_(suite.runs.size()),
        measurements_(suite.runs.size()) {
    outcome_.records.resize(suite.runs.size());
  }

  SuiteOutcome execute() {
    open_data();
    collect_ended();
    take_known_costs();
    const bool measures = options_.part != SuitePart::train && options_.measure_seconds > 0;
    if (measures || !unknown_runs().empty()) {
      const auto lock = lock_measurements(options_, observer_);
      if (lock != nullptr) {
        collect_ended();  // while this process waited
        estimate_all();
        if (measures) measure_all();
      }
    }
    if (options_.part != SuitePart::measure) {
      if (!measures) load_measurements();
      train_all();
    }
    return std::move(outcome_);
  }

  std::map<std::string, Estimate> begin() {
    open_data();
    collect_ended();
    take_known_costs();
    {
      const auto lock = lock_measurements(options_, observer_);
      if (lock != nullptr) {
        collect_ended();
        estimate_all();
      }
    }
    std::map<std::string, Estimate> known;
    for (const std::size_t i : open_runs()) {
      if (costs_[i].known && begin_run(i)) known[suite_.runs[i].name] = costs_[i];
    }
    return known;
  }

 private:
  [[nodiscard]] fs::path folder(std::size_t run) const {
    return options_.out / "runs" / suite_.runs[run].name;
  }
  [[nodiscard]] bool stopped() const { return options_.stop != nullptr && options_.stop->load(); }

  void tell(std::size_t run, const Progress& progress) {
    const std::scoped_lock lock(mutex_);
    notify([&] { observer_.on_progress(run, progress); });
  }
  void tell(std::size_t run, const std::string& text) {
    Progress progress;
    progress.text = text;
    tell(run, progress);
  }

  void keep(std::size_t run, Record record) {
    const std::scoped_lock lock(mutex_);
    notify([&] { observer_.on_record(run, record); });
    outcome_.records[run] = std::move(record);
  }

  void keep_failure(std::size_t run, const std::string& reason) {
    Record record = make_failed_record(suite_.runs[run].spec, threads_, reason);
    // A process that is working on the run decides about it.
    if (const auto lock = try_lock_run(folder(run))) write_failure(record, folder(run));
    keep(run, std::move(record));
  }

  void open_data() {
    FindDataOptions find;
    find.data = options_.data;
    find.stop = options_.stop;
    find.progress = [this](std::size_t run, const std::string& text) { tell(run, text); };
    data_ = find_data(suite_, find);
    // Results on other data would be mixed with these; the call is refused before any work.
    require_begun_data(suite_, data_, options_.out);
  }

  // Runs without a record in this call.
  void collect_ended() {
    for (const std::size_t i : open_runs()) {
      const FoundData& found = data_[i];
      try {
        if (!found.failure.empty()) {
          keep_failure(i, found.failure);
        } else if (found.used) {
          auto record = ended_record(suite_.runs[i].spec, *found.used, folder(i));
          if (record) keep(i, std::move(*record));
        }
      } catch (const Error& error) {
        keep_failure(i, error.what());
      }
    }
  }

  // Runs that have not ended, in the suite's order.
  [[nodiscard]] std::vector<std::size_t> open_runs() const {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < outcome_.records.size(); ++i) {
      if (!outcome_.records[i]) open.push_back(i);
    }
    return open;
  }

  void take_known_costs() {
    for (const std::size_t i : open_runs()) {
      const auto found = options_.costs.find(suite_.runs[i].name);
      if (found != options_.costs.end()) costs_[i] = found->second;
    }
  }

  // Open runs without an estimate.
  [[nodiscard]] std::vector<std::size_t> unknown_runs() const {
    std::vector<std::size_t> unknown = open_runs();
    std::erase_if(unknown, [this](std::size_t i) { return costs_[i].known; });
    return unknown;
  }

  // Writes the specification; false if the run cannot begin, with the reason as its record.
  bool begin_run(std::size_t run) {
    if (!data_[run].used) return false;
    const auto lock = try_lock_run(folder(run));
    if (lock == nullptr) return true;  // another process trains it
    try {
      require_same_run(suite_.runs[run].spec, folder(run));
      write_spec(suite_.runs[run].spec, *data_[run].used, folder(run));
      return true;
    } catch (const Error& error) {
      keep_failure(run, error.what());
      return false;
    }
  }

  void load_measurements() {
    for (const std::size_t i : open_runs()) {
      measurements_[i] = load_measurement(folder(i) / "measurement.json", threads_, sha256(i));
    }
  }

  void estimate_all() {
    const auto open = unknown_runs();
    if (open.empty()) return;
    notify([&] { observer_.on_phase(kEstimatePhase); });
    Estimates estimates(options_.out / "estimates.json", threads_, options_.data, options_.stop);
    std::size_t number = 0;
    for (const std::size_t i : open) {
      if (stopped()) return;
      notify([&] { observer_.on_work({i}, ++number, open.size()); });
      try {
        costs_[i] = estimates.of(suite_.runs[i].spec, counts_of(i));
        if (is_busy(i)) continue;
        if (const std::string why = refusal(costs_[i], threads_, memory_); !why.empty()) {
          keep_failure(i, why);
        }
      } catch (const Interrupted&) {
        return;
      } catch (const Error& error) {
        keep_failure(i, error.what());
      }
    }
  }

  // The open runs; a call for measurements alone takes those, too, that were trained without.
  void measure_all() {
    std::vector<std::size_t> unmeasured;
    for (std::size_t i = 0; i < outcome_.records.size(); ++i) {
      const auto& record = outcome_.records[i];
      const bool later = record && options_.part == SuitePart::measure;
      if (record && !(later && can_be_measured(*record, threads_))) continue;
      measurements_[i] = load_measurement(folder(i) / "measurement.json", threads_, sha256(i));
      if (measurements_[i]) {
        if (later) keep_measurement(i);  // its process ended between the two files
      } else if (!is_busy(i)) {
        unmeasured.push_back(i);
      }
    }
    if (unmeasured.empty() || stopped()) return;
    notify([&] { observer_.on_phase(kMeasurementPhase); });
    for (auto begin = unmeasured.begin(); begin != unmeasured.end() && !stopped();) {
      const auto end = end_of_group(begin, unmeasured.end());
      const auto first = static_cast<std::size_t>(begin - unmeasured.begin());
      notify([&] { observer_.on_work({begin, end}, first + 1, unmeasured.size()); });
      measure({begin, end});
      begin = end;
    }
  }

  [[nodiscard]] std::string sha256(std::size_t run) const {
    return data_[run].used ? data_[run].used->sha256 : std::string();
  }

  [[nodiscard]] ExampleCounts counts_of(std::size_t run) const {
    return data_[run].used ? data_[run].used->counts : suite_.runs[run].spec.counts;
  }

  // Variants of one task and seed.
  template <class Iterator>
  Iterator end_of_group(Iterator begin, Iterator last) const {
    const RunSpec& first = suite_.runs[*begin].spec;
    return std::find_if(begin, last, [&](std::size_t i) {
      const RunSpec& spec = suite_.runs[i].spec;
      return spec.task != first.task || spec.seed != first.seed;
    });
  }

  void measure(const std::vector<std::size_t>& group) {
    const MeasureOptions how{options_.data, threads_, options_.measure_seconds};
    std::vector<Subject> subjects(group.size());
    for (std::size_t k = 0; k < group.size(); ++k) {
      const std::size_t run = group[k];
      const RunSpec& spec = suite_.runs[run].spec;
      subjects[k].prepare = [&spec, &how](const Tell& tell) { return rehearse(spec, how, tell); };
      subjects[k].progress = [this, run](const std::string& text) { tell(run, text); };
    }
    measure_side_by_side(subjects, {kMeasuredRounds, memory_, options_.stop});
    for (std::size_t k = 0; k < group.size(); ++k) {
      const std::size_t run = group[k];
      if (subjects[k].result) {
        measurements_[run] = measurement_of(*subjects[k].result);
        keep_measurement(run);
        notify([&] { observer_.on_measured(run, *measurements_[run]); });
      } else if (outcome_.records[run]) {  // It has its result, whatever happens here.
        if (!subjects[k].failure.empty()) tell(run, "not measured: " + subjects[k].failure);
      } else if (subjects[k].out_of_memory) {
        keep_failure(run, "measurement: out of memory");
      }  // The run itself will find and record any other fault.
    }
  }

  // Writes the measurement, also into the record of a run that has ended.
  void keep_measurement(std::size_t run) {
    const auto lock = try_lock_run(folder(run));
    if (lock == nullptr) return;
    write_json(folder(run) / "measurement.json", to_json(*measurements_[run]));
    if (!outcome_.records[run]) return;
    Record record = *outcome_.records[run];
    fill_later(*measurements_[run], record);
    write_json(folder(run) / "result.json", results::to_json(record));
    outcome_.records[run] = std::move(record);
  }

  // Trains the open runs, then takes over runs that other processes leave without a result.
  void train_all() {
    for (bool first = true; !open_runs().empty() && !stopped(); first = false) {
      if (!first && !wait_for_others()) return;
      std::vector<Job> jobs;
      for (const std::size_t i : open_runs()) {
        const double seconds = measurements_[i] ? seconds_of(i) : costs_[i].seconds;
        notify([&] { observer_.on_plan(i, seconds); });
        jobs.push_back({costs_[i].memory, seconds, [this, i] { train(i); }});
      }
      if (jobs.empty()) return;
      shared_ = options_.part == SuitePart::train || (threads_ > 1 && jobs.size() > 1);
      own_process_ = options_.part != SuitePart::train && jobs.size() == 1 && first;
      if (first) notify([&] { observer_.on_phase(kAccuracyPhase); });
      const Usage usage = run_jobs(std::move(jobs), {threads_, memory_, options_.stop});
      if (first) notify([&] { observer_.on_usage(usage); });
    }
  }

  // Waits until a run of another process becomes free or all of them have ended. False if the suite
  // was stopped meanwhile or the waiting time is over.
  bool wait_for_others() {
    constexpr std::chrono::milliseconds kPause{500};
    const auto start = std::chrono::steady_clock::now();
    while (!stopped()) {
      collect_ended();
      const auto open = open_runs();
      const auto is_free = [this](std::size_t run) { return !is_busy(run); };
      if (open.empty() || std::any_of(open.begin(), open.end(), is_free)) return true;
      if (options_.patience && std::chrono::steady_clock::now() - start > *options_.patience) break;
      std::this_thread::sleep_for(kPause);
    }
    return false;
  }

  // True while another process works on a run.
  [[nodiscard]] bool is_busy(std::size_t run) const { return try_lock_run(folder(run)) == nullptr; }

  // Seconds from the measurement: training with its periodic validation.
  [[nodiscard]] double seconds_of(std::size_t run) const {
    const RunSpec& spec = suite_.runs[run].spec;
    const Measurement& m = *measurements_[run];
    const auto steps = static_cast<double>(spec.train.steps);
    return steps * static_cast<double>(spec.train.batch_size) /
               m.train.per_second(m.train.examples).value_or(1) +
           evaluated_examples(spec, counts_of(run)) /
               m.infer.per_second(m.infer.examples).value_or(1);
  }

  // Called on a thread of the schedule's arena.
  void train(std::size_t run) {
    RunOptions own;
    own.folder = folder(run);
    own.data = options_.data;
    own.checkpoint_seconds = options_.checkpoint_seconds;
    own.stop = options_.stop;
    own.shared = shared_;
    own.own_process = own_process_;
    own.measurement = measurements_[run] ? &*measurements_[run] : nullptr;
    own.search = suite_.runs[run].search ? &*suite_.runs[run].search : nullptr;
    own.progress = [this, run](const Progress& p) { tell(run, p); };
    try {
      Workers workers = Workers::in_this_arena();
      keep(run, run_training(suite_.runs[run].spec, own, workers));
    } catch (const Interrupted&) {  // before it could leave anything to continue from
    } catch (const Busy&) {
      tell(run, "another process is working on it");
    } catch (const Error& error) {
      keep_failure(run, error.what());
    } catch (const std::bad_alloc&) {
      keep_failure(run, "out of memory");
    }
  }

  const Suite& suite_;
  const SuiteOptions& options_;
  SuiteObserver& observer_;
  const int threads_;
  const std::int64_t memory_;
  std::vector<FoundData> data_;  // by run
  std::vector<Estimate> costs_;
  std::vector<std::optional<Measurement>> measurements_;
  bool shared_ = false;       // several runs at the same time
  bool own_process_ = false;  // one run alone is trained
  std::mutex mutex_;
  SuiteOutcome outcome_;
};

}  // namespace

std::size_t SuiteOutcome::ended() const {
  return static_cast<std::size_t>(std::count_if(
      records.begin(), records.end(),
      [](const auto& record) { return record && record->status != Status::interrupted; }));
}

SuiteOutcome run_suite(const Suite& suite, const SuiteOptions& options, SuiteObserver& observer) {
  return SuiteExecution(suite, options, observer).execute();
}

std::map<std::string, Estimate> begin_suite(const Suite& suite, const SuiteOptions& options,
                                            SuiteObserver& observer) {
  return SuiteExecution(suite, options, observer).begin();
}

}  // namespace lra::harness

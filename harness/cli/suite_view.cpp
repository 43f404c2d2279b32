#include "harness/cli/suite_view.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "harness/cli/output.h"
#include "harness/cli/progress.h"
#include "harness/cli/signals.h"

namespace lra::harness::cli {
namespace {

constexpr auto kLogInterval = std::chrono::seconds(10);
constexpr auto kDrawInterval = std::chrono::milliseconds(100);

struct TerminalSize {
  std::size_t rows = 24, columns = 80;
};

TerminalSize terminal_size() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    return {};
  }
  return {size.ws_row, size.ws_col};
}

// The text as one line of at most this many columns.
std::string fit(std::string_view text, std::size_t columns) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool continues = (byte & 0xC0U) == 0x80U;  // of a UTF-8 sequence
    if (!continues && columns-- == 0) break;
    line += byte < 0x20U ? ' ' : c;
  }
  return line;
}

std::string describe(const results::Record& record) {
  std::string text(name_of(record.status));
  if (record.accuracy.value.test) {
    text += "  test " + describe_share(*record.accuracy.value.test);
  }
  return record.failure ? text + "  " + *record.failure : text;
}

}  // namespace

SuiteView::SuiteView(const Suite& suite, EventStream& events, const std::atomic<bool>& stop)
    : suite_(suite),
      events_(events),
      terminal_(::isatty(STDOUT_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1),
      stop_(stop) {
  lines_.resize(suite.runs.size());
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const RunSpec& spec = suite.runs[i].spec;
    lines_[i].label = fmt::format("{}/{} s{}", task_name(spec), spec.attention, spec.seed);
  }
  events_.suite(suite);
}

void SuiteView::on_phase(const std::string& name) {
  for (std::size_t i = 0; i < lines_.size(); ++i) pause(i);
  phase_ = name;
  work_.clear();
  phase_start_ = Clock::now();
  last_work_shown_ = {};
  events_.phase(name);
  if (terminal_) {
    draw();
  } else {
    note("{}: {} phase\n", suite_.name, name);
  }
}

// A run that was in work is waiting again.
void SuiteView::pause(std::size_t run) {
  Line& line = lines_[run];
  if (line.state != State::running) return;
  line.state = State::waiting;
  line.text.clear();
}

void SuiteView::on_work(const std::vector<std::size_t>& runs, std::size_t first,
                        std::size_t total) {
  for (std::size_t i = 0; i < lines_.size(); ++i) pause(i);
  const std::size_t last = first + runs.size() - 1;
  work_ = first == last ? fmt::format("{}/{}", first, total)
                        : fmt::format("{} to {}/{}", first, last, total);
  std::vector<std::string> names;
  for (const std::size_t run : runs) {
    lines_[run].state = State::running;
    lines_[run].text = phase_;
    names.push_back(suite_.runs[run].name);
  }
  events_.work(phase_, names, first, total);
  if (terminal_) {
    draw();
  } else if (Clock::now() - last_work_shown_ > kLogInterval) {
    note("{}: {} {}  {}{}\n", suite_.name, phase_, work_, lines_[runs.front()].label,
         runs.size() > 1 ? " ..." : "");
    last_work_shown_ = Clock::now();
  }
}

void SuiteView::on_plan(std::size_t run, double seconds) {
  lines_[run].planned_seconds = seconds;
  draw();
}

void SuiteView::on_progress(std::size_t run, const Progress& progress) {
  events_.progress(suite_.runs[run].name, progress);
  Line& line = lines_[run];
  if (progress.phase == Progress::Phase::finished) return;
  line.state = State::running;
  if (progress.phase == Progress::Phase::data && progress.text.empty()) return;
  line.text = cli::describe(progress);
  if (progress.steps > 0) {
    line.share_done = static_cast<double>(progress.step) / static_cast<double>(progress.steps);
  }
  if (terminal_) {
    if (Clock::now() - last_drawn_ > kDrawInterval) draw();
    return;
  }
  const bool news =
      progress.phase == Progress::Phase::training && progress.val_accuracy != line.val_shown;
  if (!news && Clock::now() - line.last_shown < kLogInterval) return;
  line.val_shown = progress.val_accuracy;
  log(run);
}

void SuiteView::on_record(std::size_t run, const results::Record& record) {
  events_.record(suite_.runs[run].name, record);
  Line& line = lines_[run];
  line.text = line.known = describe(record);
  if (record.status == results::Status::interrupted) {
    line.state = State::waiting;  // for the next call
  } else {
    line.state = State::ended;
    line.status = record.status;
    line.share_done = 1;
  }
  if (!terminal_) {
    log(run);
    return;
  }
  if (record.status == results::Status::failed || record.status == results::Status::diverged) {
    clear();
    log(run);
  }
  draw();
}

void SuiteView::on_measured(std::size_t run, const Measurement& measurement) {
  events_.measured(suite_.runs[run].name, measurement);
  Line& line = lines_[run];
  const auto ms = measurement.train.quantiles();
  line.state = State::waiting;
  line.text = line.known =
      fmt::format("measured: {:.1f} ms per step [{:.1f}, {:.1f}], {:.1f} MB", ms->median, ms->p10,
                  ms->p90, static_cast<double>(measurement.peak_tensor_bytes) / 1e6);
  if (terminal_) {
    draw();
  } else {
    log(run);
  }
}

void SuiteView::on_bench(const results::BenchRecord& record, const results::BenchPoint& point) {
  events_.bench(record, point);
  clear();
  const std::string what =
      fmt::format("{} {} n {}", record.attention.name, name_of(record.mode), point.n);
  if (point.status != results::PointStatus::completed) {
    note("{:<40} {}\n", what, name_of(point.status));
    return;
  }
  note("{:<40} {:.3f} steps/s  {:.1f} MB\n", what, *point.steps_per_second,
       static_cast<double>(*point.peak_tensor_bytes) / 1e6);
}

void SuiteView::on_usage(const Usage& usage) {
  events_.usage(phase_, usage);
  clear();
  note("{}: {} phase took {}, {} threads busy for {:.1f}% of it\n", suite_.name, phase_,
       describe_seconds(usage.wall_seconds), usage.threads, 100 * usage.busy_share());
}

std::string SuiteView::summary() const {
  std::size_t running = 0;
  std::size_t ended = 0;
  std::size_t failed = 0;
  std::size_t diverged = 0;
  double planned = 0;
  double done = 0;
  for (const Line& line : lines_) {
    running += line.state == State::running ? 1 : 0;
    ended += line.state == State::ended ? 1 : 0;
    failed += line.state == State::ended && line.status == results::Status::failed ? 1 : 0;
    diverged += line.state == State::ended && line.status == results::Status::diverged ? 1 : 0;
    planned += line.planned_seconds;
    done += line.planned_seconds * line.share_done;
  }
  std::string text = fmt::format("{}  {}", suite_.name, phase_);
  if (!work_.empty()) text += " " + work_;
  if (lines_.empty()) return text;
  text += fmt::format("  {}/{} runs ended", ended, lines_.size());
  if (failed > 0) text += fmt::format(", {} failed", failed);
  if (diverged > 0) text += fmt::format(", {} diverged", diverged);
  text += fmt::format(", {} running", running);
  if (stop_) text += "  stopping";
  // The plan's seconds are upper bounds: the remaining time is scaled by the ratio observed so far.
  if (phase_ == kAccuracyPhase && done > 0) {
    const std::chrono::duration<double> elapsed = Clock::now() - phase_start_;
    text += fmt::format("  left {}", describe_seconds(elapsed.count() * (planned - done) / done));
  }
  return text;
}

std::string SuiteView::line_of(std::size_t run) const {
  const Line& line = lines_[run];
  return fmt::format("[{}/{}] {}  {}", run + 1, lines_.size(), line.label,
                     !line.text.empty()             ? line.text
                     : !line.known.empty()          ? line.known
                     : line.state == State::running ? "starting"
                                                    : "waiting");
}

std::vector<std::string> SuiteView::block(std::size_t rows) const {
  std::vector<std::string> text{summary()};
  const bool all = lines_.size() + 1 < rows;
  for (std::size_t i = 0; i < lines_.size() && text.size() + 1 < rows; ++i) {
    if (all || lines_[i].state == State::running) text.push_back(line_of(i));
  }
  return text;
}

void SuiteView::log(std::size_t run) {
  note("{}\n", line_of(run));
  lines_[run].last_shown = Clock::now();
}

void SuiteView::draw() {
  if (!terminal_) return;
  const TerminalSize size = terminal_size();
  clear();
  for (const std::string& line : block(size.rows)) {
    write_note(fit(line, size.columns - 1) + "\n");
    ++drawn_rows_;
  }
  last_drawn_ = Clock::now();
}

void SuiteView::clear() {
  // A new block begins below a line from another source.
  if (signal_wrote_line()) drawn_rows_ = 0;
  if (drawn_rows_ > 0) note("\033[{}F\033[J", drawn_rows_);
  drawn_rows_ = 0;
}

}  // namespace lra::harness::cli

#include "harness/cli/suite_view.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "harness/cli/progress.h"

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

std::string describe(const results::Record& record) {
  std::string text(results::name_of(record.status));
  if (record.accuracy.value.test) {
    text += "  test " + describe_share(*record.accuracy.value.test);
  }
  return record.failure ? text + "  " + *record.failure : text;
}

}  // namespace

SuiteView::SuiteView(const Suite& suite, EventStream& events)
    : suite_(suite),
      events_(events),
      terminal_(::isatty(STDOUT_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1) {
  lines_.resize(suite.runs.size());
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const RunSpec& spec = suite.runs[i].spec;
    lines_[i].label = fmt::format("{}/{} s{}", spec.task, spec.attention, spec.seed);
  }
  events_.suite(suite);
}

void SuiteView::on_phase(const std::string& name) {
  phase_ = name;
  phase_start_ = Clock::now();
  events_.phase(name);
  if (terminal_) {
    draw();
  } else {
    fmt::print(stderr, "{}: {} phase\n", suite_.name, name);
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
  line.state = State::ended;
  line.text = describe(record);
  line.share_done = 1;
  if (terminal_) {
    draw();
  } else {
    log(run);
  }
}

void SuiteView::on_measured(std::size_t run, const Measurement& measurement) {
  events_.measured(suite_.runs[run].name, measurement);
  Line& line = lines_[run];
  line.state = State::waiting;
  const auto ms = measurement.train.quantiles();
  line.text =
      fmt::format("measured: {:.1f} ms a step [{:.1f}, {:.1f}], {:.1f} MB", ms->median, ms->p10,
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
  const std::string what = fmt::format("{} {} n {}", record.attention.name, record.mode, point.n);
  if (point.status != "completed") {
    fmt::print(stderr, "{:<40} {}\n", what, point.status);
    return;
  }
  fmt::print(stderr, "{:<40} {:.3f} steps/s  {:.1f} MB\n", what, *point.steps_per_second,
             static_cast<double>(*point.peak_tensor_bytes) / 1e6);
}

void SuiteView::on_usage(const Usage& usage) {
  events_.usage(phase_, usage);
  clear();
  fmt::print(stderr, "{}: {} phase took {}, {} threads busy for {:.1f}% of it\n", suite_.name,
             phase_, describe_seconds(usage.wall_seconds), usage.threads, 100 * usage.busy_share());
}

std::string SuiteView::summary() const {
  std::size_t running = 0;
  std::size_t ended = 0;
  double planned = 0;
  double done = 0;
  for (const Line& line : lines_) {
    running += line.state == State::running ? 1 : 0;
    ended += line.state == State::ended ? 1 : 0;
    planned += line.planned_seconds;
    done += line.planned_seconds * line.share_done;
  }
  std::string text = fmt::format("{}  {}  {}/{} runs ended, {} running", suite_.name, phase_, ended,
                                 lines_.size(), running);
  // The plan's seconds are upper bounds: what is left is scaled by how they have turned out so far.
  if (phase_ == kAccuracyPhase && done > 0) {
    const std::chrono::duration<double> elapsed = Clock::now() - phase_start_;
    text += fmt::format("  left {}", describe_seconds(elapsed.count() * (planned - done) / done));
  }
  return text;
}

std::string SuiteView::line_of(std::size_t run) const {
  const Line& line = lines_[run];
  return fmt::format("[{}/{}] {}  {}", run + 1, lines_.size(), line.label,
                     line.text.empty() ? "waiting" : line.text);
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
  fmt::print(stderr, "{}\n", line_of(run));
  std::fflush(stderr);
  lines_[run].last_shown = Clock::now();
}

void SuiteView::draw() {
  if (!terminal_) return;
  const TerminalSize size = terminal_size();
  clear();
  for (const std::string& line : block(size.rows)) {
    fmt::print(stderr, "{}\n", line.substr(0, size.columns - 1));
    ++drawn_rows_;
  }
  std::fflush(stderr);
  last_drawn_ = Clock::now();
}

void SuiteView::clear() {
  if (drawn_rows_ > 0) fmt::print(stderr, "\033[{}F\033[J", drawn_rows_);
  drawn_rows_ = 0;
}

}  // namespace lra::harness::cli

#include "harness/cli/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <utility>

#include "harness/cli/output.h"

namespace lra::harness::cli {
std::string describe_seconds(double seconds) {
  const auto s = static_cast<std::int64_t>(seconds);
  if (s >= 3600) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  return s >= 60 ? fmt::format("{}m{:02}s", s / 60, s % 60) : fmt::format("{}s", s);
}

std::string describe_share(double share) {
  return share < 0 ? "-" : fmt::format("{:.1f}%", 100 * share);
}

std::string describe(const Progress& p) {
  if (p.phase == Progress::Phase::data) return p.text;
  // The least important parts come last: a narrow terminal cuts them off.
  const std::string best = fmt::format("val {} (best {})", describe_share(p.val_accuracy),
                                       describe_share(p.best_accuracy));
  if (p.phase == Progress::Phase::evaluation) {
    return fmt::format("step {}/{}  evaluating  {}", p.step, p.steps, best);
  }
  return fmt::format("step {}/{}  left {}  {}  acc {}  loss {:.4f}  {:.0f} tokens/s", p.step,
                     p.steps, describe_seconds(p.seconds_left), best, describe_share(p.accuracy),
                     p.loss, p.tokens_per_second);
}

ProgressLine::ProgressLine(std::string label)
    : label_(std::move(label)), terminal_(::isatty(STDERR_FILENO) == 1) {}

void ProgressLine::show(const std::string& text, bool keep) {
  if (terminal_) {
    note("\r\033[K{}  {}{}", label_, text, keep ? "\n" : "");
    open_ = !keep;
  } else {
    note("{}  {}\n", label_, text);
  }
}

void ProgressLine::operator()(const Progress& p) {
  using Phase = Progress::Phase;
  const auto now = std::chrono::steady_clock::now();
  if (p.phase == Phase::data) {
    if (!p.text.empty() && (terminal_ || now - last_ > std::chrono::seconds(10))) {
      show(p.text, false);
      last_ = now;
    }
    return;
  }
  if (p.phase == Phase::finished) {
    end();
    return;
  }
  const bool news = p.val_accuracy != val_shown_;
  if (p.phase == Phase::evaluation && !terminal_) return;
  if (!terminal_ && !news && now - last_ < std::chrono::seconds(10)) return;
  show(describe(p), false);
  val_shown_ = p.val_accuracy;
  last_ = now;
}

void ProgressLine::end() {
  if (open_) note("\n");
  open_ = false;
}

}  // namespace lra::harness::cli

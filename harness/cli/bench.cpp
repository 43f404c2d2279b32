// lra bench: speed and memory over lengths.

#include "harness/measure/bench.h"

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "attention/attention.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/runtime.h"
#include "harness/cli/cli.h"
#include "harness/cli/definitions.h"
#include "harness/cli/output.h"
#include "harness/run/record.h"
#include "results/analysis/growth.h"

namespace lra::harness::cli {
namespace {

struct BenchArguments {
  std::vector<std::string> attentions{"softmax", "linear", "cosformer"};
  std::vector<std::int64_t> lengths{1024, 2048, 4096};
  std::vector<std::string> settings;
  std::string preset = "small", task = "listops", mode = "train", precision = "auto", out;
  std::string lengths_file;
  std::vector<std::int64_t> sequences;  // from that file
  std::int64_t batch = 32, lanes = 0;
  std::vector<int> cores;
  int threads = 0;
  double seconds = 2;
  bool profile = false, limit = false, check_growth = false, json = false;
};

constexpr std::int64_t kLongest = std::int64_t{1} << 24;

// Numbers of tokens from a text file, separated by white space.
std::vector<std::int64_t> read_lengths(const std::string& file) {
  std::istringstream text(read_file(file));
  std::vector<std::int64_t> lengths;
  std::string line;
  for (int number = 1; std::getline(text, line); ++number) {
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      std::int64_t length = 0;
      const char* end = word.data() + word.size();
      const auto [stop, error] = std::from_chars(word.data(), end, length);
      if (error != std::errc() || stop != end || length < 1 || length > kLongest) {
        fail(ErrorKind::data, "{}:{}: {} is not a length of 1 to {} tokens", file, number,
             shortened(valid_utf8(word)), kLongest);
      }
      lengths.push_back(length);
    }
  }
  if (lengths.empty()) fail(ErrorKind::data, "{}: holds no length", file);
  return lengths;
}

BenchOptions make_options(const BenchArguments& a, const std::string& attention) {
  Request request;
  request.attention = attention;
  request.task = a.task;
  request.preset = a.preset;
  request.precision = a.precision;
  request.settings = a.settings;
  for (const std::string& setting : a.settings) {
    if (!setting.starts_with("attention.") && !setting.starts_with("model.")) {
      fail(ErrorKind::usage, "--set {}: expected model.KEY=VALUE or attention.KEY=VALUE", setting);
    }
  }
  BenchOptions o = bench_options(resolve(request));
  o.mode = enum_of<results::BenchMode>(a.mode).value();
  o.batch = a.batch;
  o.lengths = a.sequences;
  o.lanes = a.lanes;
  if (!a.cores.empty()) {
    std::set<int> cores{1};
    cores.insert(a.cores.begin(), a.cores.end());
    o.cores.assign(cores.begin(), cores.end());
  }
  o.threads = a.threads;
  o.seconds = a.seconds;
  o.profile = a.profile;
  o.limit = a.limit;
  return o;
}

void print_profile(const BenchResult& r, int threads) {
  const double wall = r.profiled_seconds * threads;
  double known = 0;
  say("    {:<26} {:>9} {:>10} {:>7}\n", "operation", "calls", "ms", "share");
  for (const auto& e : r.profile) {
    known += e.seconds;
    say("    {:<26} {:>9} {:>10.1f} {:>6.1f}%\n", e.operation, e.calls, e.seconds * 1e3,
        100 * e.seconds / wall);
  }
  say("    {:<26} {:>9} {:>10.1f} {:>6.1f}%\n", "tape, scheduling, idle", "", (wall - known) * 1e3,
      100 * (wall - known) / wall);
}

void print_point(const std::string& attention, const BenchResult& r) {
  const auto& p = r.point;
  if (p.status != results::PointStatus::completed) {
    say("{:<20} {:>6}  {}\n", attention, p.n, name_of(p.status));
    return;
  }
  say("{:<20} {:>6} {:>11.0f} {:>9.3f} {:>9.1f} [{:.1f}, {:.1f}] {:>9.1f} {:>9.1f} "
      "{:>9.0f}%{}\n",
      attention, p.n, *p.tokens_per_second, *p.steps_per_second, p.step_ms->median, p.step_ms->p25,
      p.step_ms->p75, static_cast<double>(*p.peak_tensor_bytes) / 1e6,
      static_cast<double>(*p.peak_rss_bytes) / 1e6, 100 * (1 - *p.matmul_share),
      p.limit_ms ? fmt::format(" {:>8.0f}%", 100 * *p.limit_ms / p.step_ms->median) : "");
}

// Beside that of one core, the first of them.
void print_cores(const results::BenchPoint& point, double tokens) {
  const double one = point.on_cores.front().step_ms;
  for (const auto& [cores, step_ms] : point.on_cores) {
    const double times = one / step_ms;
    say("    on {:>4} {:<5} {:>11.0f} tokens/s, {:>5.1f} x one core, efficiency {:>3.0f}%\n", cores,
        cores == 1 ? "core" : "cores", 1e3 * tokens / step_ms, times,
        100 * times / static_cast<double>(cores));
  }
}

// How far a fitted exponent may lie above the claim's: timing is noisy and long sequences leave the
// caches; bytes are the same at each run.
constexpr double kTimeSlack = 0.3;
constexpr double kMemorySlack = 0.1;

// Exponents of time and memory in n beside the claims, where there are two lengths or more, told
// through `out`. False if a claim is broken or there is too little to judge it by.
bool report_growth(const results::BenchRecord& record, void (*out)(std::string_view)) {
  std::vector<double> n;
  std::vector<double> seconds;
  std::vector<double> bytes;
  for (const auto& p : record.points) {
    if (p.status != results::PointStatus::completed) continue;
    n.push_back(static_cast<double>(p.n));
    seconds.push_back(p.step_ms->median);
    bytes.push_back(static_cast<double>(*p.peak_tensor_bytes));
  }
  const auto& traits = attention::registry().at(record.attention.name).traits;
  const auto time = results::judge_growth(n, seconds, claim_of(traits.time), kTimeSlack);
  const auto memory = results::judge_growth(n, bytes, claim_of(traits.memory), kMemorySlack);
  if (!time || !memory) return false;
  const auto text = [](const results::GrowthVerdict& v, attention::Growth growth) {
    return fmt::format("n^{:.2f} ({} claimed: {})", v.measured, attention::growth_name(growth),
                       v.kept ? "kept" : "BROKEN");
  };
  out(fmt::format("{:<20} grows as {} in time, {} in memory\n", record.attention.name,
                  text(*time, traits.time), text(*memory, traits.memory)));
  return time->kept && memory->kept;
}

results::BenchRecord bench_attention(const BenchArguments& a, const BenchOptions& options) {
  results::BenchRecord record = bench_record(options);
  const int threads = a.threads > 0 ? a.threads : engine::machine().cores;
  for (const std::int64_t n : a.lengths) {
    const BenchResult result = bench_point_isolated(options, n);
    add_point(record, result);
    if (a.json) continue;
    print_point(options.attention, result);
    if (a.profile) print_profile(result, threads);
    if (!result.point.on_cores.empty()) print_cores(result.point, step_tokens(record, n));
    std::fflush(stdout);
  }
  return record;
}

int bench(BenchArguments a) {
  if (a.attentions == std::vector<std::string>{"all"}) a.attentions = attention::registry().names();
  for (const auto& name : a.attentions) static_cast<void>(attention::registry().at(name));
  if (a.check_growth && a.lengths.size() < 2) {
    fail(ErrorKind::usage, "bench: --check-growth needs two lengths or more in --n");
  }
  if (!a.lengths_file.empty()) {
    if (a.check_growth) fail(ErrorKind::usage, "bench: --check-growth needs --n, not --lengths");
    a.sequences = read_lengths(a.lengths_file);
    if (a.sequences.size() > static_cast<std::size_t>(a.batch)) {
      a.sequences.resize(static_cast<std::size_t>(a.batch));
    }
    a.lengths = {*std::max_element(a.sequences.begin(), a.sequences.end())};
  }
  if (a.json && a.profile) fail(ErrorKind::usage, "bench: --profile has no effect with --json");
  if (!a.cores.empty() && a.mode != "train") {
    fail(ErrorKind::usage, "bench: --cores is for training; got --mode {}", a.mode);
  }
  // What is wrong is said before anything is measured.
  std::vector<BenchOptions> variants;
  variants.reserve(a.attentions.size());
  for (const auto& name : a.attentions) variants.push_back(make_options(a, name));
  if (!a.out.empty()) AtomicFile(std::filesystem::path(a.out) / "bench.json");
  if (!a.json) {
    if (!a.sequences.empty()) {
      const auto [least, most] = std::minmax_element(a.sequences.begin(), a.sequences.end());
      say("sequences of {} to {} tokens\n", *least, *most);
    }
    say("{:<20} {:>6} {:>11} {:>9} {:>9} {:<14} {:>9} {:>9} {:>10}{}\n", "attention", "n",
        "tokens/s", "steps/s", "step ms", "[quartiles]", "tensor MB", "RSS MB", "not matmul",
        a.limit ? " of limit" : "");
  }
  nlohmann::json all = nlohmann::json::array();
  std::vector<std::string> broken;
  for (const BenchOptions& options : variants) {
    const results::BenchRecord record = bench_attention(a, options);
    const bool kept = report_growth(record, a.json ? write_note : write_out);
    if (a.check_growth && !kept) broken.push_back(record.attention.name);
    all.push_back(results::to_json(record));
    if (!a.out.empty()) {
      write_json(std::filesystem::path(a.out) /
                     fmt::format("bench-{}-{}.json", record.attention.name, name_of(record.mode)),
                 all.back());
    }
  }
  if (a.json) say("{}\n", all.dump(2));
  if (broken.empty()) return 0;
  note("bench: growth broken or not measurable: {}\n", fmt::join(broken, ", "));
  return 1;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("bench", "measure speed and memory on sequences of random tokens");
  auto a = std::make_shared<BenchArguments>();
  command->add_option("--attention", a->attentions, "attention variants, or all")
      ->type_name("ATTENTION")
      ->delimiter(',')
      ->capture_default_str();
  auto* n = command->add_option("--n", a->lengths, "sequence lengths in tokens")
                ->delimiter(',')
                ->check(CLI::Range(std::int64_t{1}, kLongest))
                ->capture_default_str();
  command
      ->add_option("--lengths", a->lengths_file,
                   "file of numbers of tokens that the sequences of a batch have in turn, in place "
                   "of one length for all; n is then the longest")
      ->type_name("FILE")
      ->excludes(n);
  command->add_option("--batch", a->batch, "sequences per step")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20))
      ->capture_default_str();
  command
      ->add_option("--lanes", a->lanes,
                   "largest number of gradient lanes of training; 0 means one per sequence, from "
                   "8 to 64, where sequences are long enough")
      ->check(CLI::Range(0, 256));
  command
      ->add_option("--cores", a->cores,
                   "numbers of cores for which the time of a training step is worked out from "
                   "this machine's lanes and update; contention for memory is not included")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096));
  command->add_option("--preset", a->preset, "preset with the model (lra list presets)")
      ->type_name("PRESET")
      ->capture_default_str();
  command->add_option("--task", a->task, "task whose preset model is used")
      ->type_name("TASK")
      ->capture_default_str();
  command->add_option("--mode", a->mode, "measured work: training steps or inference")
      ->check(one_of<results::BenchMode>())
      ->capture_default_str();
  command->add_option("--precision", a->precision, "auto, f32 or bf16")->capture_default_str();
  command->add_option("--threads", a->threads, "number of threads; 0 means all cores (default: 0)")
      ->check(CLI::Range(0, 4096));
  command->add_option("--seconds", a->seconds, "seconds of measurement per length")
      ->check(positive())
      ->capture_default_str();
  command->add_option("--set", a->settings, "model.KEY or attention.KEY to change (repeatable)");
  command->add_flag("--profile", a->profile, "print the time per operation");
  command->add_flag("--limit", a->limit,
                    "measure the least time of a step on this machine (its products at the rates "
                    "that they reach in cache, its bytes at the memory's bandwidth) and print the "
                    "share of it that is reached");
  command->add_flag(
      "--check-growth", a->check_growth,
      "exit with 1 if time or memory grows faster with the length than a variant claims");
  command->add_option("--out", a->out, "folder for bench-ATTENTION-MODE.json files");
  command->add_flag("--json", a->json, "print JSON instead of text");
  command->callback([a, &action] { action = [a] { return bench(*a); }; });
}

}  // namespace lra::harness::cli

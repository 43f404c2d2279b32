// lra study: studies of attention kernels with known answers.

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <tuple>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/cli/cli.h"
#include "harness/cli/definitions.h"
#include "harness/cli/output.h"
#include "harness/cli/table_options.h"
#include "harness/study/separation.h"
#include "results/analysis/relations.h"
#include "results/record/load.h"

namespace lra::harness::cli {
namespace {

struct StudyArguments {
  std::string mode = "theory", sweep, json, csv, svg;
  std::vector<std::string> kernels, settings;
  std::int64_t trials = 0, steps = 2000, test = 4000;
  std::uint64_t seed = 1;
  int threads = 0;
};

double number(const std::string& text, const std::string& where) {
  std::size_t used = 0;
  double value = 0;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != text.size()) {
    fail(ErrorKind::usage, "study separation: {}: not a number; got '{}'", where, text);
  }
  return value;
}

// NAME=VALUE[,VALUE...]
std::pair<std::string, std::vector<double>> parse_values(const std::string& text,
                                                         const std::string& option) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) {
    fail(ErrorKind::usage, "study separation: {}: got '{}', expected NAME=VALUE", option, text);
  }
  std::vector<double> values;
  for (std::size_t begin = equals + 1; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    values.push_back(number(text.substr(begin, end - begin), option));
    begin = end + 1;
  }
  return {text.substr(0, equals), values};
}

study::Request make_request(const StudyArguments& a) {
  study::Request r;
  r.mode = study::parse_mode(a.mode);
  r.kernels = a.kernels;
  const std::int64_t usual = r.mode == study::Mode::theory  ? 300
                             : r.mode == study::Mode::noise ? 10000
                                                            : 5;
  r.trials = a.trials > 0 ? a.trials : usual;
  r.steps = a.steps;
  r.test = a.test;
  r.seed = a.seed;
  r.threads = a.threads;
  if (r.mode == study::Mode::train) r.setting.d = 52;
  for (const std::string& setting : a.settings) {
    const auto [name, values] = parse_values(setting, "--set");
    if (values.size() != 1) {
      fail(ErrorKind::usage, "study separation: --set takes one value; got '{}'", setting);
    }
    study::assign(r.setting, r.mode, name, values.front());
  }
  const std::string sweep = !a.sweep.empty()                ? a.sweep
                            : r.mode == study::Mode::theory ? "n=30,60,120,240,480,960"
                            : r.mode == study::Mode::noise  ? "n=64,256,1024,4096"
                                                            : "n=50,100,200,400,800";
  std::tie(r.swept, r.values) = parse_values(sweep, "--sweep");
  return r;
}

int separation(const StudyArguments& a) {
  const study::Request request = make_request(a);
  const auto begin = std::chrono::steady_clock::now();
  const auto points = study::run_study(request);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  say("{}", study::to_table(request, points));
  say("{} points in {:.1f} s\n", points.size(), seconds.count());
  if (!a.json.empty()) write_json(a.json, study::to_json(request, points));
  if (!a.csv.empty()) write_file_atomic(a.csv, study::to_csv(request, points));
  if (!a.svg.empty()) write_file_atomic(a.svg, study::to_svg(request, points));
  return 0;
}

// lra study ablation DIR...: correlates attention measures with accuracy.
void add_ablation(CLI::App& command, Action& action) {
  struct Arguments {
    std::vector<std::string> places;
    std::vector<std::string> metrics{
        "entropy_norm", "top8_mass",       "local_gain_10",    "mean_distance",
        "neg_mass",     "fro_over_sqrt_n", "softmax_distance", "train_tokens_per_second"};
    std::string format = "md";
  };
  auto* sub = command.add_subcommand(
      "ablation", "correlate attention measures with accuracy, e.g. in runs/ablation-cosformer");
  auto a = std::make_shared<Arguments>();
  sub->add_option("DIR", a->places, "folders with runs")->required();
  sub->add_option("--metrics", a->metrics, "measures to correlate with the test accuracy")
      ->delimiter(',')
      ->capture_default_str();
  sub->add_option("--format", a->format, "output format")
      ->check(one_of<results::SummaryFormat>())
      ->capture_default_str();
  sub->callback([a, &action] {
    action = [a] {
      const std::vector<std::filesystem::path> places(a->places.begin(), a->places.end());
      const auto loaded =
          results::load_records(places, results::OnFault::refuse, results::Members::current);
      note_left_out(loaded.left_out, "name their result files to use them");
      say("{}", results::format_relations(results::relate(loaded.records, a->metrics),
                                          enum_of<results::SummaryFormat>(a->format).value()));
      return 0;
    };
  });
}

}  // namespace

void add_study(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("study", "studies with known answers: separation, ablation");
  command->require_subcommand(1);
  add_ablation(*command, action);
  auto* sub = command->add_subcommand(
      "separation",
      "compare kernels on data that softmax attention separates and linear attention does not");
  auto a = std::make_shared<StudyArguments>();
  sub->add_option("--mode", a->mode,
                  "study: theory (fixed weights), noise (regression with oracle weights beside its "
                  "optimum), "
                  "or train (classification of the noisy data)")
      ->capture_default_str();
  sub->add_option(
         "--kernels", a->kernels,
         "kernels to compare. theory: softmax, softmax_scaled, linear, poly3, elu1, "
         "cosformer, sparsemax; "
         "noise: softmax, exp, linear, relu, poly3, elu1; train: any registered attention, "
         "also with options, NAME:OPTION=VALUE:... "
         "(default: all of the mode)")
      ->delimiter(',');
  sub->add_option("--sweep", a->sweep,
                  "parameter to vary, NAME=VALUE,...: theory n, d, m, a0, a1, c, eps, cross; noise "
                  "n, f; train n, d, "
                  "m, a1, c, residual, maxpool (default: n)");
  sub->add_option("--set", a->settings, "fixed parameter, NAME=VALUE (repeatable)");
  sub->add_option("--trials", a->trials,
                  "repetitions per point: draws in theory (300), samples in noise (10000), seeds "
                  "in train (5)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30));
  sub->add_option("--steps", a->steps, "number of updates in train")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 30))
      ->capture_default_str();
  sub->add_option("--test", a->test, "number of test samples in train; a quarter as many validate")
      ->check(CLI::Range(std::int64_t{4}, std::int64_t{1} << 30))
      ->capture_default_str();
  sub->add_option("--seed", a->seed, "seed of all draws")->capture_default_str();
  sub->add_option("--threads", a->threads, "number of threads; 0 means all cores (default: 0)")
      ->check(CLI::Range(0, 4096));
  sub->add_option(
      "--json", a->json,
      "JSON output file, the same bytes for any number of threads; lra report shows it if it "
      "is named separation.json or separation-NAME.json");
  sub->add_option("--csv", a->csv, "CSV output file");
  sub->add_option("--svg", a->svg, "SVG output file of the chart");
  sub->callback([a, sub, &action] {
    action = [a, sub] {
      if (a->mode != "train") {
        refuse_without_effect(*sub, {"--steps", "--test"}, "with --mode " + a->mode);
      }
      return separation(*a);
    };
  });
}

}  // namespace lra::harness::cli

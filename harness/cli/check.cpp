// lra check: golden vectors and gradients.

#include <fmt/core.h>

#include "engine/runtime.h"
#include "harness/check/golden.h"
#include "harness/check/gradients.h"
#include "harness/cli/cli.h"

namespace lra::harness::cli {
namespace {

int golden(const std::vector<std::string>& paths, const std::string& precision) {
  const engine::WorkerScope worker;
  GoldenOptions options;
  options.precision =
      engine::resolve_precision(precision) == "bf16" ? engine::DType::bf16 : engine::DType::f32;
  options.on_case = [](const GoldenResult& result) { fmt::print("{}\n", golden_line(result)); };
  options.on_error = [](const GoldenReport::FileError& error) {
    fmt::print("ERROR {}\n", error.message);
  };
  const GoldenReport report = check_golden({paths.begin(), paths.end()}, options);
  fmt::print("{}\n", golden_summary(report));
  return report.exit_code();
}

int gradients(const std::string& name) {
  const engine::WorkerScope worker;
  const auto results = check_gradients(
      name, [](const GradientResult& result) { fmt::print("{}\n", gradient_line(result)); });
  fmt::print("{}\n", gradient_summary(results));
  return gradient_exit_code(results);
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto* check = app.add_subcommand("check", "check the program against independent computations");
  check->require_subcommand(1);
  auto* command = check->add_subcommand(
      "golden", "run golden-vector files: one line a case, a count, exit code 1 if any fails");
  auto paths = std::make_shared<std::vector<std::string>>();
  auto precision = std::make_shared<std::string>("f32");
  command->add_option("PATH", *paths, "files, or folders searched for .json")->required();
  command->add_option("--precision", *precision, "f32 or bf16")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  command->callback([=, &action] { action = [=] { return golden(*paths, *precision); }; });
  auto* gradient_command = check->add_subcommand(
      "gradients",
      "outputs and gradients of variants against their definitions in double precision");
  auto name = std::make_shared<std::string>();
  gradient_command->add_option("NAME", *name, "variant, or all")->required();
  gradient_command->callback([=, &action] { action = [=] { return gradients(*name); }; });
}

}  // namespace lra::harness::cli

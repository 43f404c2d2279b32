// lra check: golden vectors, gradients, variants and tasks.

#include <fmt/core.h>
#include <stdlib.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "attention/check/checks.h"
#include "engine/base/precision.h"
#include "engine/runtime.h"
#include "harness/check/golden.h"
#include "harness/check/gradients.h"
#include "harness/cli/cli.h"
#include "harness/cli/definitions.h"
#include "harness/cli/output.h"
#include "tasks/check_task.h"

namespace lra::harness::cli {
namespace {

int golden(const std::vector<std::string>& paths, const std::string& precision) {
  const engine::WorkerScope worker;
  GoldenOptions options;
  options.precision = engine::dtype_of(engine::resolve_precision(precision));
  options.on_case = [](const GoldenResult& result) { say("{}\n", golden_line(result)); };
  options.on_error = [](const GoldenReport::FileError& error) { say("ERROR {}\n", error.message); };
  const GoldenReport report = check_golden({paths.begin(), paths.end()}, options);
  say("{}\n", golden_summary(report));
  return report.exit_code();
}

int gradients(const std::string& name) {
  const engine::WorkerScope worker;
  say("{}\n", gradient_legend());
  const auto results = check_gradients(
      name, [](const GradientResult& result) { say("{}\n", gradient_line(result)); });
  say("{}\n", gradient_summary(results));
  return gradient_exit_code(results);
}

constexpr std::size_t kMostFaults = 5;  // shown of one check

int variant(const std::string& name) {
  const std::vector<std::string> names =
      name == "all" ? attention::registry().names()
                    : std::vector<std::string>{attention::registry().canonical(name)};
  std::size_t ran = 0;
  std::size_t failed = 0;
  std::size_t skipped = 0;
  for (const std::string& each : names) {
    for (const attention::VariantCheck& check : attention::variant_checks()) {
      const attention::Findings found = attention::run_check(check.name, each);
      const std::string head = fmt::format("{} {:<13}", each, check.name);
      if (!found.skipped.empty()) {
        ++skipped;
        say("SKIP {} {}\n", head, found.skipped);
        continue;
      }
      ++ran;
      failed += found.passed() ? 0 : 1;
      say("{} {} {} ({} setting{})\n", found.passed() ? "PASS" : "FAIL", head, check.title,
          found.settings, found.settings == 1 ? "" : "s");
      for (std::size_t i = 0; i < found.faults.size() && i < kMostFaults; ++i) {
        say("     {}\n", found.faults[i]);
      }
      if (found.faults.size() > kMostFaults) {
        say("     and {} more\n", found.faults.size() - kMostFaults);
      }
      std::fflush(stdout);
    }
  }
  say("{} checks of {} variant{}: {} passed, {} failed, {} skipped\n", ran + skipped, names.size(),
      names.size() == 1 ? "" : "s", ran - failed, failed, skipped);
  return failed == 0 ? 0 : 1;
}

// A folder that goes with the object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "lra-check-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) fail(ErrorKind::io, "{}: cannot create", name);
    path_ = name;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code code;
    std::filesystem::remove_all(path_, code);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

int task(const std::string& name, const std::string& data,
         const std::vector<std::string>& settings) {
  const ScratchFolder scratch;
  static_cast<void>(tasks::task_registry().at(name));
  const auto make = [&name](const nlohmann::json& options) {
    return tasks::create_task(name, options);
  };
  std::size_t failed = 0;
  std::size_t skipped = 0;
  const auto findings = tasks::check_task(make, task_settings(settings), data, scratch.path());
  for (const tasks::TaskFinding& finding : findings) {
    const bool passed = finding.faults.empty();
    failed += passed ? 0 : 1;
    skipped += finding.skipped.empty() ? 0 : 1;
    say("{} {} {}{}\n",
        !finding.skipped.empty() ? "SKIP"
        : passed                 ? "PASS"
                                 : "FAIL",
        name, finding.check, finding.skipped.empty() ? "" : ": " + finding.skipped);
    for (std::size_t i = 0; i < finding.faults.size() && i < kMostFaults; ++i) {
      say("     {}\n", finding.faults[i]);
    }
  }
  say("{} checks: {} passed, {} failed, {} skipped\n", findings.size() - skipped,
      findings.size() - skipped - failed, failed, skipped);
  return failed == 0 ? 0 : 1;
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  auto* check = app.add_subcommand(
      "check", "check variants and the program against independent computations");
  check->require_subcommand(1);
  auto* command = check->add_subcommand(
      "golden", "run golden-vector files; prints one line per case and a count");
  auto paths = std::make_shared<std::vector<std::string>>();
  auto precision = std::make_shared<std::string>(name_of(Precision::f32));
  command->add_option("PATH", *paths, "golden files, or folders searched for .json files")
      ->required();
  command->add_option("--precision", *precision, "arithmetic of the checked computation")
      ->check(one_of<Precision>())
      ->capture_default_str();
  command->callback([=, &action] { action = [=] { return golden(*paths, *precision); }; });
  auto* gradient_command = check->add_subcommand(
      "gradients",
      "compare outputs and gradients of variants with their definitions in double precision");
  auto name = std::make_shared<std::string>();
  gradient_command->add_option("NAME", *name, "attention variant, or all")
      ->type_name("ATTENTION")
      ->required();
  gradient_command->callback([=, &action] { action = [=] { return gradients(*name); }; });
  auto* variant_command = check->add_subcommand(
      "variant", "check a variant against the rules for all variants and the claims of its traits");
  variant_command->add_option("NAME", *name, "attention variant, or all")
      ->type_name("ATTENTION")
      ->required();
  variant_command->callback([=, &action] { action = [=] { return variant(*name); }; });
  auto* task_command = check->add_subcommand(
      "task", "check a task against the rules for all tasks, on a few of its examples");
  auto data = std::make_shared<std::string>();
  auto settings = std::make_shared<std::vector<std::string>>();
  task_command->add_option("NAME", *name, "task (lra list tasks)")->type_name("TASK")->required();
  task_command->add_option("--data", *data,
                           "data folder or archive (default: the place that lra train uses)");
  task_command->add_option("--set", *settings, "task option to change (repeatable)");
  task_command->callback([=, &action] { action = [=] { return task(*name, *data, *settings); }; });
}

}  // namespace lra::harness::cli

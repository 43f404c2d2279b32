#include "harness/cli/suite_options.h"

#include "harness/cli/definitions.h"

namespace lra::harness::cli {
namespace {

constexpr double kMostGigabytes = 1e9;  // in bytes they fit 64 bits

}  // namespace

void add_suite_argument(CLI::App& command, const std::shared_ptr<SuiteArguments>& arguments) {
  command.add_option("SUITE", arguments->suite, "suite name (lra list suites) or JSON file")
      ->type_name("SUITE")
      ->required();
}

void add_suite_options(CLI::App& command, const std::shared_ptr<SuiteArguments>& arguments,
                       const std::string& default_out) {
  const auto& a = arguments;
  command.add_option("--out", a->out, "output folder (default: " + default_out + ")");
  command.add_option("--data", a->data,
                     "folder with the official data (default: $LRA_DATA, then the user's cache)");
  command.add_option("--set", a->settings,
                     "setting to change in every run, as in lra train (repeatable)");
  command
      .add_option("--threads", a->threads,
                  "number of threads and of simultaneous runs; 0 means all cores (default: 0)")
      ->check(CLI::Range(0, 4096));
  command
      .add_option("--memory", a->memory_gb,
                  "memory limit of all runs together in GB; 0 means the free memory (default: 0)")
      ->check(non_negative(kMostGigabytes));
  command.add_option("--checkpoint-seconds", a->checkpoint_seconds, "seconds between checkpoints")
      ->check(non_negative())
      ->capture_default_str();
}

void add_events_option(CLI::App& command, const std::shared_ptr<SuiteArguments>& arguments) {
  command.add_option("--events", arguments->events,
                     "file to which progress is appended as JSON lines");
}

SuiteOptions suite_options(const SuiteArguments& a, const std::filesystem::path& out) {
  SuiteOptions options;
  options.out = out;
  options.data = a.data;
  options.threads = a.threads;
  options.memory_bytes = static_cast<std::int64_t>(a.memory_gb * 1e9);
  options.checkpoint_seconds = a.checkpoint_seconds;
  return options;
}

}  // namespace lra::harness::cli

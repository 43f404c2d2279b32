#pragma once
// Options shared by `lra run` and `lra tune`: the suite, its folders, threads and memory.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "harness/cli/cli.h"
#include "harness/suite/execute.h"

namespace lra::harness::cli {

struct SuiteArguments {
  std::string suite, out, data, events;
  std::vector<std::string> settings;
  int threads = 0;
  double checkpoint_seconds = 30, memory_gb = 0;
};

void add_suite_argument(CLI::App& command, const std::shared_ptr<SuiteArguments>& arguments);
// --out with its default in words, --data, --set, --threads, --memory, --checkpoint-seconds.
void add_suite_options(CLI::App& command, const std::shared_ptr<SuiteArguments>& arguments,
                       const std::string& default_out);
void add_events_option(CLI::App& command, const std::shared_ptr<SuiteArguments>& arguments);

[[nodiscard]] SuiteOptions suite_options(const SuiteArguments& a, const std::filesystem::path& out);

}  // namespace lra::harness::cli

#pragma once
// The command line. Each command is a file here that describes its options to CLI11 and runs if
// chosen. Wrong use exits 2, a fault of data or files 3 (stdout included), a diverged run 4,
// another fault 1, each with one line.

#include <CLI/CLI.hpp>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace lra::harness::cli {

// Exit code of a run or suite that a signal stopped and the same command continues.
inline constexpr int kInterrupted = 130;
// Exit code if stdout is a pipe whose reader has gone: what a shell reports of SIGPIPE.
inline constexpr int kReaderGone = 141;

// The exit code of a command.
using Action = std::function<int()>;

// A command registers its subcommand; parsing stores the work to do in `action`.
void add_list(CLI::App& app, Action& action);
void add_data(CLI::App& app, Action& action);
void add_train(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_check(CLI::App& app, Action& action);
void add_run(CLI::App& app, Action& action);
void add_compare(CLI::App& app, Action& action);
void add_diagnose(CLI::App& app, Action& action);
void add_evaluate(CLI::App& app, Action& action);
void add_report(CLI::App& app, Action& action);
void add_new(CLI::App& app, Action& action);
void add_study(CLI::App& app, Action& action);
void add_table(CLI::App& app, Action& action);
void add_tune(CLI::App& app, Action& action);

// Task options of `--set task.NAME=VALUE` or `--set NAME=VALUE`. Throws Error(usage).
[[nodiscard]] nlohmann::json task_settings(const std::vector<std::string>& settings);

// The entries of `lra list WHAT`, each with its "name".
[[nodiscard]] nlohmann::json list_of(const std::string& what);

// Runs the program: parses, loads plugins, acts, reports errors.
[[nodiscard]] int run(int argc, char** argv);

}  // namespace lra::harness::cli

#include "harness/cli/cli.h"

#include <fmt/format.h>

#include <exception>
#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/base/error.h"
#include "engine/base/locks.h"
#include "engine/base/resources.h"
#include "engine/base/text.h"
#include "harness/cli/definitions.h"
#include "harness/cli/output.h"
#include "harness/cli/plugin.h"
#include "harness/version.h"

namespace lra::harness::cli {
namespace {

// The possible values of an option, by the name of its type.
CompletionWords completion_words() {
  const auto names = [](const char* list) {
    std::vector<std::string> words;
    for (const auto& entry : list_of(list)) words.push_back(entry.at("name"));
    return words;
  };
  return {{"TASK", names("tasks")},
          {"ATTENTION", names("attention")},
          {"PRESET", names("presets")},
          {"PROTOCOL", names("protocols")},
          {"SUITE", names("suites")}};
}

int parse_and_act(int argc, char** argv);

// The command `help`, and the files that the build derives from all commands.
void add_meta(CLI::App& app, Action& action) {
  auto* help = app.add_subcommand("help", "show the help of a command");
  auto path = std::make_shared<std::vector<std::string>>();
  help->add_option("COMMAND", *path, "command and subcommand (default: all commands in brief)");
  help->callback([&app, path, &action] {
    action = [&app, path] {
      const CLI::App* command = &app;
      for (const std::string& name : *path) {
        const auto found = command->get_subcommands(
            [&name](const CLI::App* sub) { return sub->get_name() == name; });
        if (found.empty()) {
          std::vector<std::string> known;
          for (const CLI::App* sub : command->get_subcommands(
                   [](const CLI::App* each) { return !each->get_group().empty(); })) {
            known.push_back(sub->get_name());
          }
          throw Error(ErrorKind::usage, unknown_name_message("command", name, known));
        }
        command = found.front();
      }
      // Looked up through a new parse: a parsed App would show the help of `help`.
      std::vector<std::string> words{"lra"};
      words.insert(words.end(), path->begin(), path->end());
      words.emplace_back("--help");
      std::vector<char*> line;
      line.reserve(words.size());
      for (std::string& word : words) line.push_back(word.data());
      return parse_and_act(static_cast<int>(line.size()), line.data());
    };
  });
  auto* completion = app.add_subcommand("completion", "print the completion script of a shell");
  completion->group("");
  auto shell = std::make_shared<std::string>();
  completion->add_option("SHELL", *shell, "bash")->required()->check(one_of({"bash"}));
  completion->callback([&app, shell, &action] {  // which keeps the option's variable
    action = [&app] {
      write_out(bash_completion(app, completion_words()));
      return 0;
    };
  });
  auto* man = app.add_subcommand("man", "print the manual page");
  man->group("");
  man->callback([&app, &action] {
    action = [&app] {
      write_out(manual(app, version()));
      return 0;
    };
  });
}

int parse_and_act(int argc, char** argv) {
  CLI::App app{"Long-Range Arena on a CPU: train, measure and compare efficient attention.", "lra"};
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 done; 1 something failed: a check, a run, memory; 2 wrong use or "
      "configuration;\n"
      "3 faulty data or files, also an stdout that cannot be written; 4 a run diverged;\n"
      "130 stopped by a signal, and the same command continues; 141 nobody reads stdout any more.");
  app.set_version_flag("--version", "lra " + version());
  app.set_help_all_flag("--help-all", "print the help of all commands and exit");
  std::vector<std::string> plugins;
  app.add_option("--plugin", plugins,
                 "shared library with further attention variants or tasks (repeatable)")
      ->type_name("FILE.so");
  bool no_locks = false;
  app.add_flag("--no-locks", no_locks,
               "take no locks, for file systems without them; a folder then allows one process");
  app.fallthrough();
  Action action;
  add_list(app, action);
  add_data(app, action);
  add_train(app, action);
  add_run(app, action);
  add_tune(app, action);
  add_bench(app, action);
  add_table(app, action);
  add_report(app, action);
  add_compare(app, action);
  add_evaluate(app, action);
  add_diagnose(app, action);
  add_check(app, action);
  add_new(app, action);
  add_study(app, action);
  add_meta(app, action);
  name_values(app);
  require_numbers_in_range(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    std::ostringstream text;  // CLI11's own streams would not say why a write failed
    const int code = app.exit(done, text, text);
    write_out(text.str());
    return code;
  } catch (const CLI::ParseError& error) {
    const std::string unknown = unknown_word(app);
    note("lra: {}\n", unknown.empty()
                          ? fmt::format("{}; see {} --help", error.what(), command_path(app))
                          : unknown);
    return exit_code(ErrorKind::usage);
  }
  if (no_locks) disable_file_locks();
  for (const std::string& plugin : plugins) load_plugin(plugin);
  return action();
}

}  // namespace

int run(int argc, char** argv) {
  protect_streams();
  restore_affinity();
  try {
    const int code = parse_and_act(argc, argv);
    try {
      if (!end_stdout() && code == 0) return kReaderGone;
    } catch (const Error&) {
      if (code != kInterrupted) throw;  // a gone terminal has a stop as its cause, no result
    }
    return code;
  } catch (const Error& error) {
    note("lra: {}\n", error.what());
    return exit_code(error.kind());
  } catch (const std::filesystem::filesystem_error& error) {
    note("lra: {}: {}\n", valid_utf8(error.path1().string()), error.code().message());
    return exit_code(ErrorKind::io);
  } catch (const std::bad_alloc&) {
    note("lra: out of memory\n");
    return exit_code(ErrorKind::backend);
  } catch (const std::exception& error) {
    note("lra: internal error: {}\n", valid_utf8(error.what()));
    return exit_code(ErrorKind::backend);
  } catch (...) {
    note("lra: internal error: an exception without a text\n");
    return exit_code(ErrorKind::backend);
  }
}

}  // namespace lra::harness::cli

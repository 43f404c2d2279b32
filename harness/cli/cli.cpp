#include "harness/cli/cli.h"

#include <fmt/core.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>

#include "engine/base/error.h"
#include "harness/cli/plugin.h"
#include "harness/version.h"

namespace lra::harness::cli {
namespace {

int parse_and_act(int argc, char** argv) {
  CLI::App app{"Long-Range Arena on a CPU: train, measure and compare efficient attention.", "lra"};
  app.require_subcommand(1);
  app.set_version_flag("--version", "lra " + version());
  app.set_help_all_flag("--help-all", "help of all commands");
  std::vector<std::string> plugins;
  app.add_option("--plugin", plugins, "shared library with further attention variants")
      ->type_name("FILE.so");
  app.fallthrough();
  Action action;
  add_list(app, action);
  add_data(app, action);
  add_train(app, action);
  add_run(app, action);
  add_bench(app, action);
  add_table(app, action);
  add_report(app, action);
  add_compare(app, action);
  add_evaluate(app, action);
  add_diagnose(app, action);
  add_check(app, action);
  add_new(app, action);
  add_study(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "lra: {}; see lra --help\n", error.what());
    return exit_code(ErrorKind::usage);
  }
  for (const std::string& plugin : plugins) load_plugin(plugin);
  return action();
}

}  // namespace

int run(int argc, char** argv) {
  try {
    return parse_and_act(argc, argv);
  } catch (const Error& error) {
    fmt::print(stderr, "lra: {}\n", error.what());
    return exit_code(error.kind());
  } catch (const std::filesystem::filesystem_error& error) {
    fmt::print(stderr, "lra: {}: {}\n", error.path1().string(), error.code().message());
    return exit_code(ErrorKind::io);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "lra: out of memory\n");
    return exit_code(ErrorKind::backend);
  } catch (const std::exception& error) {
    fmt::print(stderr, "lra: internal error: {}\n", error.what());
    return exit_code(ErrorKind::backend);
  }
}

}  // namespace lra::harness::cli

// lra new attention|task: creates a variant or task from a skeleton, in the tree or as a separate
// project.

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "attention/attention.h"
#include "embedded/skeleton_files.h"
#include "engine/base/file.h"
#include "harness/cli/cli.h"
#include "harness/cli/output.h"
#include "tasks/task.h"

namespace lra::harness::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 40;

// Lower-case words joined by single underscores, the first of which starts with a letter: the name
// is a file's, a command-line word and part of a C++ identifier.
bool is_name(std::string_view name) {
  if (name.empty() || name.size() > kLongestName || name.front() < 'a' || name.front() > 'z') {
    return false;
  }
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool word = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9');
    const bool joint = name[i] == '_' && i + 1 < name.size() && name[i + 1] != '_';
    if (!word && !joint) return false;
  }
  return true;
}

// squared_relu -> SquaredRelu.
std::string class_name(std::string_view name) {
  std::string result;
  bool start = true;
  for (const char c : name) {
    if (c != '_') {
      result += start ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    }
    start = c == '_';
  }
  return result;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

// The kinds of skeletons: a source file and, with --plugin, the project around it.
struct Kind {
  const char* name;    // on the command line
  const char* what;    // in messages
  const char* folder;  // of the source tree
  const char* source;  // skeletons
  const char* project;
  const char* old_name;  // in them: replaced by the new one
  const char* old_class;
  const char* next;  // after the build
  bool (*taken)(const std::string& name);
};

const Kind kAttention{
    "attention",
    "variant",
    "attention",
    "my_variant.cpp",
    "plugin.cmake",
    "my_variant",
    "MyVariant",
    "lra check gradients {0} and lra check variant {0}",
    [](const std::string& name) { return attention::registry().find(name) != nullptr; }};
const Kind kTask{
    "task",
    "task",
    "tasks",
    "my_task.cpp",
    "task_plugin.cmake",
    "my_task",
    "MyTask",
    "lra check task {0} and lra data check {0} --baselines",
    [](const std::string& name) { return tasks::task_registry().find(name) != nullptr; }};

std::string skeleton(const Kind& kind, std::string_view file, std::string_view name) {
  std::string text(find_embedded(embedded::skeleton_files(), file)->content);
  replace_all(text, kind.old_class, class_name(name));
  replace_all(text, kind.old_name, name);
  return text;
}

struct NewArguments {
  std::string name, out;
  bool plugin = false;
};

int start(const Kind& kind, const NewArguments& a) {
  if (!is_name(a.name)) {
    fail(ErrorKind::usage,
         "new {}: '{}' is not a valid {} name: at most {} lower-case letters and digits, words "
         "joined by one '_', a letter first",
         kind.name, a.name, kind.what, kLongestName);
  }
  if (a.name == "all") {
    fail(ErrorKind::usage, "new {}: got '{}', which commands take for each; choose another name",
         kind.name, a.name);
  }
  if (kind.taken(a.name)) {
    fail(ErrorKind::usage, "new {0}: the {1} '{2}' already exists; choose another name", kind.name,
         kind.what, a.name);
  }
  const fs::path folder = !a.out.empty() ? fs::path(a.out) : fs::path(a.plugin ? a.name : ".");
  const std::string code = skeleton(kind, kind.source, a.name);
  std::vector<std::pair<fs::path, std::string>> files;
  if (a.plugin) {
    files = {{folder / (a.name + ".cpp"), code},
             {folder / "CMakeLists.txt", skeleton(kind, kind.project, a.name)}};
  } else {
    if (!fs::exists(folder / "attention" / "attention.h")) {
      fail(ErrorKind::usage,
           "new {}: {} is not the source tree of lra; name it with --out TREE, or use --plugin for "
           "a separate project",
           kind.name, folder.string());
    }
    files = {{folder / kind.folder / (a.name + ".cpp"), code}};
  }
  for (const auto& [path, text] : files) {
    if (fs::exists(fs::symlink_status(path))) {
      fail(ErrorKind::io, "new {}: {} already exists; nothing was written", kind.name,
           path.string());
    }
  }
  for (const auto& [path, text] : files) {
    write_file_atomic(path, text);
    say("wrote {}\n", path.string());
  }
  if (a.plugin) {
    say("next: the commands in the first lines of {}\n", files.back().first.string());
  } else {
    say("next: build, then {}\n", fmt::format(fmt::runtime(kind.next), a.name));
  }
  return 0;
}

void add_kind(CLI::App& command, Action& action, const Kind& kind, const char* help) {
  auto* sub = command.add_subcommand(kind.name, help);
  auto a = std::make_shared<NewArguments>();
  sub->add_option("NAME", a->name,
                  fmt::format("name of the {}: lower-case words joined by '_'", kind.what))
      ->required();
  sub->add_flag("--plugin", a->plugin,
                "write a plugin project outside the source tree: NAME.cpp and CMakeLists.txt");
  sub->add_option("--out", a->out,
                  "source tree (default: the current folder), or with --plugin the project "
                  "folder (default: NAME)");
  sub->callback([a, &action, &kind] { action = [a, &kind] { return start(kind, *a); }; });
}

}  // namespace

void add_new(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("new", "create a variant or task from a skeleton");
  command->require_subcommand(1);
  add_kind(*command, action, kAttention,
           "write a working variant as a starting point; it builds and passes every check");
  add_kind(*command, action, kTask,
           "write a working task as a starting point; it builds and passes every check");
}

}  // namespace lra::harness::cli

// lra new attention: a skeleton to start a variant from, in the tree or as a project of its own.

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "attention/attention.h"
#include "embedded/skeleton_files.h"
#include "engine/base/file.h"
#include "harness/cli/cli.h"

namespace lra::harness::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 40;

// Lower-case words joined by single underscores, the first of which starts with a letter: the name
// is a file's, a command-line word and part of a C++ identifier.
bool is_variant_name(std::string_view name) {
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

// squared_relu -> SquaredReluAttention.
std::string class_name(std::string_view name) {
  std::string result;
  bool start = true;
  for (const char c : name) {
    if (c != '_') {
      result += start ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    }
    start = c == '_';
  }
  return result + "Attention";
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
}

std::string skeleton(std::string_view file, std::string_view name) {
  std::string text(find_embedded(embedded::skeleton_files(), file)->content);
  replace_all(text, "MyVariantAttention", class_name(name));
  replace_all(text, "my_variant", name);
  return text;
}

struct NewArguments {
  std::string name, out;
  bool plugin = false;
};

int new_attention(const NewArguments& a) {
  if (!is_variant_name(a.name)) {
    fail(ErrorKind::usage,
         "new attention: '{}' is no name for a variant: at most {} lower-case letters and digits, "
         "words joined by one '_', a letter first",
         a.name, kLongestName);
  }
  if (attention::registry().find(a.name) != nullptr) {
    fail(ErrorKind::usage, "new attention: there is an attention '{}' already", a.name);
  }
  const fs::path folder = !a.out.empty() ? fs::path(a.out) : fs::path(a.plugin ? a.name : ".");
  std::vector<std::pair<fs::path, std::string>> files;
  if (a.plugin) {
    files = {{folder / (a.name + ".cpp"), skeleton("my_variant.cpp", a.name)},
             {folder / "CMakeLists.txt", skeleton("plugin.cmake", a.name)}};
  } else {
    if (!fs::exists(folder / "attention" / "attention.h")) {
      fail(ErrorKind::usage,
           "new attention: {} is not the source tree of lra; --out TREE says where it is, --plugin "
           "makes a project outside of it",
           folder.string());
    }
    files = {{folder / "attention" / (a.name + ".cpp"), skeleton("my_variant.cpp", a.name)}};
  }
  for (const auto& [path, text] : files) {
    if (fs::exists(fs::symlink_status(path))) {
      fail(ErrorKind::io, "new attention: {} is there already; nothing was written", path.string());
    }
  }
  for (const auto& [path, text] : files) {
    write_file_atomic(path, text);
    fmt::print("wrote {}\n", path.string());
  }
  if (a.plugin) {
    fmt::print("next: the commands in the first lines of {}\n", files.back().first.string());
  } else {
    fmt::print("next: build, then lra check gradients {0} and lra check variant {0}\n", a.name);
  }
  return 0;
}

}  // namespace

void add_new(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("new", "create a variant from a skeleton");
  command->require_subcommand(1);
  auto* variant = command->add_subcommand(
      "attention", "write a working variant as a starting point; it builds and passes every check");
  auto a = std::make_shared<NewArguments>();
  variant->add_option("NAME", a->name, "name of the variant: lower-case words joined by '_'")
      ->required();
  variant->add_flag("--plugin", a->plugin,
                    "write a plugin project outside the source tree: NAME.cpp and CMakeLists.txt");
  variant->add_option("--out", a->out,
                      "source tree (default: the current folder), or with --plugin the project "
                      "folder (default: NAME)");
  variant->callback([a, &action] { action = [a] { return new_attention(*a); }; });
}

}  // namespace lra::harness::cli

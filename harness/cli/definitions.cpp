#include "harness/cli/definitions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <optional>

#include "engine/base/error.h"
#include "engine/base/near.h"

namespace lra::harness::cli {
namespace {

bool is_hidden(const CLI::App& command) { return command.get_group().empty(); }

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) { return !is_hidden(*command); });
}

std::vector<const CLI::Option*> options_of(const CLI::App& app, bool positional) {
  return app.get_options([positional](const CLI::Option* option) {
    return option->get_positional() == positional && !option->get_group().empty();
  });
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

// "--task", "-h".
std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

// The words of a type "TEXT:{md,csv,tex}"; empty for others.
std::vector<std::string> choices_of(const std::string& type) {
  std::vector<std::string> words;
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return words;
  for (std::size_t at = open + 1; at < close;) {
    const std::size_t end = std::min(type.find(',', at), close);
    words.push_back(type.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

// Path of a command without the program's name: "data make".
struct Command {
  std::string path;
  const CLI::App* app;
};

void collect(const CLI::App& app, const std::string& path, std::vector<Command>& commands) {
  commands.push_back({path, &app});
  for (const CLI::App* command : commands_of(app)) {
    collect(*command, path.empty() ? command->get_name() : path + " " + command->get_name(),
            commands);
  }
}

std::vector<Command> all_commands(const CLI::App& app) {
  std::vector<Command> commands;
  collect(app, "", commands);
  return commands;
}

// Escapes text for roff: no line becomes a request, no hyphen a break point or a typographic
// hyphen.
std::string roff(const std::string& text) {
  std::string escaped;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) escaped += "\\&";
    if (c == '\\') {
      escaped += "\\e";
    } else if (c == '-') {
      escaped += "\\-";
    } else {
      escaped += c;
    }
    line_start = c == '\n';
  }
  return escaped;
}

std::string type_text(const CLI::Option& option) {
  const std::vector<std::string> choices = choices_of(option.get_type_name());
  if (!choices.empty()) return fmt::format("{}", fmt::join(choices, "|"));
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

std::string option_entry(const CLI::Option& option) {
  std::string head;
  if (option.get_positional()) {
    head = "\\fI" + roff(option.get_name(true)) + "\\fR";
  } else {
    head = "\\fB" + roff(fmt::format("{}", fmt::join(names_of(option), ", "))) + "\\fR";
    if (takes_value(option)) head += " \\fI" + roff(type_text(option)) + "\\fR";
  }
  std::string text = roff(option.get_description());
  if (option.get_required()) text += " (required)";
  if (!option.get_default_str().empty()) {
    text += " (default: " + roff(option.get_default_str()) + ")";
  }
  return ".TP\n" + head + "\n" + text + "\n";
}

std::string synopsis(const Command& command) {
  std::string text = ".B lra " + command.path + "\n";
  for (const CLI::Option* option : options_of(*command.app, true)) {
    const std::string name = roff(option->get_name(true));
    text += (option->get_required() ? ".I " + name : ".RI [ " + name + " ]") + "\n";
  }
  if (!options_of(*command.app, false).empty()) text += ".RI [ options ]\n";
  return text;
}

// The program and the subcommands of a parsed line, from the outermost inwards.
std::vector<const CLI::App*> chain_of(const CLI::App& app) {
  std::vector<const CLI::App*> chain{&app};
  while (!chain.back()->get_subcommands().empty()) {
    chain.push_back(chain.back()->get_subcommands().front());
  }
  return chain;
}

std::optional<double> finite_number(const std::string& word) {
  char* end = nullptr;
  const double value = std::strtod(word.c_str(), &end);
  if (word.empty() || *end != '\0' || !std::isfinite(value)) return std::nullopt;
  return value;
}

// Of an option with this type's name, "INT:NONNEGATIVE": an integer as CLI11 reads it, decimal or
// 0x..., in the range of 64 bits. The message otherwise, and for a decimal number with a leading
// zero, which CLI11 would take for an octal one.
std::string refused_integer(const std::string& word, const std::string& type) {
  const bool is_signed = type.starts_with("INT");
  const std::size_t digits = word.find_first_not_of("+-");
  if (digits != std::string::npos && word[digits] == '0' && digits + 1 < word.size() &&
      std::isdigit(static_cast<unsigned char>(word[digits + 1])) != 0) {
    return fmt::format("got '{}', expected an integer without leading zeros", word);
  }
  const bool from_zero = !is_signed || type.find("NONNEGATIVE") != std::string::npos;
  char* end = nullptr;
  errno = 0;
  bool negative = word.find('-') != std::string::npos;
  if (is_signed) {
    negative = std::strtoll(word.c_str(), &end, 0) < 0;
  } else {
    static_cast<void>(std::strtoull(word.c_str(), &end, 0));
  }
  if (errno == 0 && !word.empty() && *end == '\0' && !(from_zero && negative)) return "";
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  constexpr auto kMostUnsigned = std::numeric_limits<std::uint64_t>::max();
  return fmt::format("got '{}', expected an integer from {} to {}", word, from_zero ? 0 : kLeast,
                     is_signed ? std::uint64_t{kMost} : kMostUnsigned);
}

}  // namespace

CLI::Validator one_of(const std::vector<std::string>& words) {
  return {[words](const std::string& word) {
            const bool known = std::find(words.begin(), words.end(), word) != words.end();
            return known ? std::string() : unknown_name_message("word", word, words);
          },
          fmt::format("{{{}}}", fmt::join(words, ","))};
}

CLI::Validator non_negative(std::optional<double> most) {
  return {[most](const std::string& word) {
            const auto value = finite_number(word);
            if (value && *value >= 0 && *value <= most.value_or(*value)) return std::string();
            return fmt::format("got '{}', expected a number from 0{}", word,
                               most ? fmt::format(" to {}", *most) : "");
          },
          "NONNEGATIVE"};
}

CLI::Validator positive() {
  return {[](const std::string& word) {
            const auto value = finite_number(word);
            return value && *value > 0 ? std::string()
                                       : fmt::format("got '{}', expected a number above 0", word);
          },
          "POSITIVE"};
}

void name_values(CLI::App& app) {
  static const std::map<std::string, const char*> kinds{
      {"--set", "KEY=VALUE"},       {"--data", "PATH"},        {"--out", "PATH"},
      {"--pictures", "DIR"},        {"--svg", "FILE"},         {"--events", "FILE"},
      {"--init", "FILE"},           {"--with", "KEY"},         {"--delta", "KEY"},
      {"--sort", "COLUMN"},         {"--columns", "COLUMN"},   {"--baseline", "ATTENTION"},
      {"--precision", "PRECISION"}, {"--division", "DIVISION"}};
  for (CLI::Option* option : app.get_options()) {
    if (option->get_type_name() != "TEXT") continue;
    const auto kind = kinds.find(option->get_name());
    if (option->get_positional()) {
      option->type_name("");  // its name says it
    } else if (kind != kinds.end()) {
      option->type_name(kind->second);
    }
  }
  for (CLI::App* command : app.get_subcommands({})) name_values(*command);
}

void require_numbers_in_range(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string type = option->get_type_name();
    if (type.starts_with("INT") || type.starts_with("UINT")) {
      option->check(CLI::Validator(
          [type](const std::string& word) { return refused_integer(word, type); }, ""));
    } else if (type.starts_with("FLOAT")) {
      option->check(CLI::Validator(
          [](const std::string& word) {
            return finite_number(word) ? std::string()
                                       : fmt::format("got '{}', expected a finite number", word);
          },
          ""));
    }
  }
  for (CLI::App* command : app.get_subcommands({})) require_numbers_in_range(*command);
}

void refuse_without_effect(const CLI::App& command, const std::vector<std::string>& options,
                           const std::string& circumstance) {
  std::vector<std::string> given;
  std::copy_if(options.begin(), options.end(), std::back_inserter(given),
               [&](const std::string& name) { return command.get_option(name)->count() > 0; });
  if (given.empty()) return;
  std::string path = command.get_name();
  for (const CLI::App* above = command.get_parent(); above->get_parent() != nullptr;
       above = above->get_parent()) {
    path = above->get_name() + " " + path;
  }
  fail(ErrorKind::usage, "{}: {} {} no effect {}", path, fmt::join(given, ", "),
       given.size() == 1 ? "has" : "have", circumstance);
}

std::string command_path(const CLI::App& app) {
  std::string path = "lra";
  for (const CLI::App* command : chain_of(app)) {
    if (command != &app) path += " " + command->get_name();
  }
  return path;
}

std::string unknown_word(const CLI::App& app) {
  const std::vector<const CLI::App*> chain = chain_of(app);
  const CLI::App& last = *chain.back();
  for (const std::string& word : app.remaining(true)) {
    if (word == "--") continue;
    const bool option = word.size() > 1 && word.front() == '-';
    std::vector<std::string> known;
    if (option) {
      for (const CLI::App* command : chain) {
        for (const CLI::Option* o : options_of(*command, false)) {
          for (std::string& name : names_of(*o)) known.push_back(std::move(name));
        }
      }
    } else {
      for (const CLI::App* command : commands_of(last)) known.push_back(command->get_name());
    }
    // An unknown word after a command without subcommands is a surplus argument.
    const char* kind = option ? "option" : known.empty() ? "argument" : "command";
    std::string text = fmt::format("unknown {} '{}'", kind, word);
    auto near = near_matches(word.substr(0, word.find('=')), known);
    if (near.size() > 3) near.resize(3);
    if (!near.empty()) text += fmt::format("; did you mean {}?", fmt::join(near, ", "));
    return text + fmt::format("; see {} --help", command_path(app));
  }
  return "";
}

std::string bash_completion(const CLI::App& app, const CompletionWords& words) {
  std::string states;
  std::string cases;
  std::string values;
  const std::vector<Command> commands = all_commands(app);
  for (const Command& command : commands) {
    if (!command.path.empty()) {
      const std::size_t space = command.path.rfind(' ');
      const std::string parent = space == std::string::npos ? "" : command.path.substr(0, space);
      states += fmt::format("      '{}/{}') command='{}' ;;\n", parent, command.app->get_name(),
                            command.path);
    }
    std::vector<std::string> options;
    std::vector<const CLI::App*> levels{&app};
    if (command.app != &app) levels.push_back(command.app);
    for (const CLI::App* level : levels) {
      for (const CLI::Option* option : options_of(*level, false)) {
        for (const std::string& name : names_of(*option)) {
          options.push_back(name);
          if (!takes_value(*option)) continue;
          const std::string type = option->get_type_name();
          std::vector<std::string> choices = choices_of(type);
          if (const auto found = words.find(type); found != words.end()) choices = found->second;
          values += fmt::format("    '{} {}') values='{}'; valued=1 ;;\n", command.path, name,
                                fmt::join(choices, " "));
        }
      }
    }
    std::sort(options.begin(), options.end());
    options.erase(std::unique(options.begin(), options.end()), options.end());
    std::vector<std::string> operands;
    for (const CLI::App* sub : commands_of(*command.app)) operands.push_back(sub->get_name());
    for (const CLI::Option* option : options_of(*command.app, true)) {
      const std::string type = option->get_type_name();
      std::vector<std::string> choices = choices_of(type);
      if (const auto found = words.find(type); found != words.end()) choices = found->second;
      operands.insert(operands.end(), choices.begin(), choices.end());
    }
    cases += fmt::format("    '{}') options='{}'; operands='{}' ;;\n", command.path,
                         fmt::join(options, " "), fmt::join(operands, " "));
  }
  return fmt::format(R"(# Bash completion for lra, written by `lra completion bash`.
_lra() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}}
  local command='' options='' operands='' values='' valued='' prefix='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command/${{COMP_WORDS[i]}}" in
{}    esac
  done
  case "$command" in
{}  esac
  # "--option=value" arrives as three words.
  if [[ $cur == '=' ]]; then cur=''; elif [[ $prev == '=' ]]; then prev=${{COMP_WORDS[COMP_CWORD-2]}}; fi
  case "$command $prev" in
{}  esac
  if [[ $valued ]]; then
    if [[ $cur == *,* ]]; then prefix=${{cur%,*}},; cur=${{cur##*,}}; fi
    COMPREPLY=($(compgen -P "$prefix" -W "$values" -- "$cur"))
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
  else
    COMPREPLY=($(compgen -W "$operands" -- "$cur"))
  fi
}}
complete -o default -F _lra lra
)",
                     states, cases, values);
}

std::string manual(const CLI::App& app, const std::string& version) {
  std::string page = fmt::format(
      ".TH LRA 1 \"\" \"lra {}\" \"User Commands\"\n.ad l\n.SH NAME\nlra \\- {}\n.SH SYNOPSIS\n"
      ".B lra\n.RI [ options ]\n.I COMMAND\n.RI [ arguments ]\n.SH OPTIONS\n",
      roff(version), roff(app.get_description()));
  for (const CLI::Option* option : options_of(app, false)) page += option_entry(*option);
  page += ".SH COMMANDS\n";
  for (const Command& command : all_commands(app)) {
    if (command.path.empty()) continue;
    page += fmt::format(".SS {}\n", roff(command.path)) + synopsis(command) + ".PP\n" +
            roff(command.app->get_description()) + ".\n";
    for (const bool positional : {true, false}) {
      for (const CLI::Option* option : options_of(*command.app, positional)) {
        if (option->get_lnames() == std::vector<std::string>{"help"} ||
            option->get_lnames() == std::vector<std::string>{"help-all"}) {
          continue;
        }
        page += option_entry(*option);
      }
    }
    const std::string footer = command.app->get_footer();
    if (!footer.empty()) page += ".PP\n.nf\n" + roff(footer) + "\n.fi\n";
  }
  page += ".SH EXIT STATUS\n.nf\n" + roff(app.get_footer()) + "\n.fi\n";
  page +=
      ".SH ENVIRONMENT\n.TP\n.B LRA_DATA\nFolder with the official data, in place of \\-\\-data.\n"
      ".TP\n.B XDG_CACHE_HOME\nFolder of the caches; data sets are kept in its folder lra "
      "(default: "
      "~/.cache).\n";
  return page;
}

}  // namespace lra::harness::cli

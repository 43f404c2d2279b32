#pragma once
// Texts derived from the definitions of the commands: near matches for mistyped words, the bash
// completion and the manual page. `lra completion bash` and `lra man` print the last two; the build
// installs their output.

#include <CLI/CLI.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/enum_text.h"

namespace lra::harness::cli {

// "trian: unknown command; did you mean train?" if `app` could not parse the line because of an
// unknown word; empty for another reason.
[[nodiscard]] std::string unknown_word(const CLI::App& app);

// Accepts only these words; an error names near matches.
[[nodiscard]] CLI::Validator one_of(const std::vector<std::string>& words);
// The same for the texts of an enumeration.
template <class E>
[[nodiscard]] CLI::Validator one_of() {
  return one_of(words_of<E>());
}

// Validators of finite numbers: at least 0 (and at most `most`), and above 0.
[[nodiscard]] CLI::Validator non_negative(std::optional<double> most = {});
[[nodiscard]] CLI::Validator positive();

// Names what an option takes (DIR, KEY=VALUE, ...) where a command says no more than that it is
// text.
void name_values(CLI::App& app);

// Adds to every option of a command and its subcommands a check that its type can hold the number,
// with the range in the message: CLI11 clamps or wraps integers of 64 bits, and accepts NaN.
void require_numbers_in_range(CLI::App& app);

// Throws Error(usage) "table: --bold has no effect with --format csv" for those of these options
// that the line gives; `circumstance` are the last words.
void refuse_without_effect(const CLI::App& command, const std::vector<std::string>& options,
                           const std::string& circumstance);

// "lra data make": the command named by the line, as far as it was parsed.
[[nodiscard]] std::string command_path(const CLI::App& app);

// Words to complete the value of an option by the name of its type: {"TASK", {"listops", ...}}.
using CompletionWords = std::map<std::string, std::vector<std::string>>;
[[nodiscard]] std::string bash_completion(const CLI::App& app, const CompletionWords& words);

// A manual page of section 1 in the man macros of groff; `version` for its foot.
[[nodiscard]] std::string manual(const CLI::App& app, const std::string& version);

}  // namespace lra::harness::cli

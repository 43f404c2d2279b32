#pragma once
// What is derived from the definitions of the commands: near matches for mistyped words, the bash
// completion and the manual page. `lra completion bash` and `lra man` print the last two; the build
// runs them and installs what they print.

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

namespace lra::harness::cli {

// "trian: unknown command; did you mean train?": for a line that `app` could not parse because of a
// word that it does not know; empty if that was not the reason.
[[nodiscard]] std::string unknown_word(const CLI::App& app);

// Accepts these words alone; another is answered with near matches.
[[nodiscard]] CLI::Validator one_of(const std::vector<std::string>& words);

// Accept finite numbers from 0, and above 0.
[[nodiscard]] CLI::Validator non_negative();
[[nodiscard]] CLI::Validator positive();

// "lra data make": the command that the line named, as far as it was parsed.
[[nodiscard]] std::string command_path(const CLI::App& app);

// Words to complete the value of an option by the name of its type: {"TASK", {"listops", ...}}.
using CompletionWords = std::map<std::string, std::vector<std::string>>;
[[nodiscard]] std::string bash_completion(const CLI::App& app, const CompletionWords& words);

// A manual page of section 1 in the man macros of groff; `version` for its foot.
[[nodiscard]] std::string manual(const CLI::App& app, const std::string& version);

}  // namespace lra::harness::cli

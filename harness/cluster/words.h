#pragma once
// Words of command lines, as read by the shell and sbatch.

#include <string>
#include <string_view>
#include <vector>

namespace lra::harness::cluster {

// One word for a POSIX shell: unchanged without special characters, else in single quotes.
[[nodiscard]] std::string shell_word(std::string_view word);
// The words between blanks, each for a shell.
[[nodiscard]] std::string shell_line(const std::vector<std::string>& words);

// One value in a line "#SBATCH --option=value": unchanged or in double quotes. Slurm's reader
// accepts a backslash before a quote and before a backslash, but no escaped blank.
[[nodiscard]] std::string sbatch_word(std::string_view word);

// Splits text at blanks; quotes and backslashes act as in a shell, nothing is expanded. Throws
// Error(usage) for an unclosed quote and for a line break.
[[nodiscard]] std::vector<std::string> split_words(std::string_view text);

}  // namespace lra::harness::cluster

#include "harness/cluster/slurm.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "harness/cluster/command.h"
#include "harness/cluster/words.h"

namespace lra::harness::cluster {
namespace {

namespace fs = std::filesystem;

// Options already set by the files, by long and short name, and their replacement.
struct Taken {
  std::string_view name;
  char letter;
  std::string_view instead;
};
constexpr std::string_view kOwn = "the files set it";
constexpr std::array kTaken{
    Taken{"array", 'a', "--at-once limits how many tasks run at once"},
    Taken{"job-name", 'J', kOwn},
    Taken{"output", 'o', "logs are in DIR/slurm/logs"},
    Taken{"error", 'e', "logs are in DIR/slurm/logs"},
    Taken{"input", 'i', kOwn},
    Taken{"chdir", 'D', kOwn},
    Taken{"dependency", 'd', kOwn},
    Taken{"signal", 0, kOwn},
    Taken{"requeue", 0, kOwn},
    Taken{"no-requeue", 0, kOwn},
    Taken{"open-mode", 0, kOwn},
    Taken{"cpus-per-task", 'c', "--cores is for that"},
    Taken{"nodes", 'N', "a task runs on one node"},
    Taken{"ntasks", 'n', "a job is one process"},
    Taken{"ntasks-per-node", 0, "a job is one process"},
    Taken{"parsable", 0, kOwn},
    Taken{"wait", 'W', "jobs are submitted and not waited for"},
    Taken{"wrap", 0, kOwn},
    Taken{"test-only", 0, "--dry-run writes the files only"},
    Taken{"help", 'h', "see sbatch --help"},
    Taken{"usage", 0, "see sbatch --help"},
    Taken{"version", 'V', "see sbatch --version"},
};

void require_free(const std::string& word) {
  const bool is_long = word.starts_with("--");
  const std::string name = is_long ? word.substr(2, word.find('=') - 2) : word.substr(1, 1);
  const auto is_it = [&](const Taken& t) {
    return is_long ? t.name == name : t.letter != 0 && t.letter == name[0];
  };
  const auto* const found = std::find_if(kTaken.begin(), kTaken.end(), is_it);
  if (found == kTaken.end()) return;
  fail(ErrorKind::usage, "--slurm: {} cannot be given; {}", word, found->instead);
}

// The value of a --constraint; empty for another option.
std::string constraint_of(const std::string& option) {
  const auto words = split_words(option);
  for (const std::string_view prefix : {"--constraint=", "-C"}) {
    if (words[0].starts_with(prefix) && words[0].size() > prefix.size()) {
      return words[0].substr(prefix.size());
    }
  }
  return words.size() == 2 && (words[0] == "--constraint" || words[0] == "-C") ? words[1] : "";
}

// A pattern of file names: % is special.
std::string without_patterns(const std::string& path) {
  std::string text;
  for (const char c : path) text += c == '%' ? "%%" : std::string(1, c);
  return text;
}

std::string in_one_line(const std::string& text) {
  std::string line;
  for (const char c : text) line += c == '\n' ? "; " : std::string(1, c);
  return line;
}

template <class T>
bool read_number(std::string_view text, T& value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc() && end == text.data() + text.size();
}

std::optional<QueuedTask> parse_line(const std::string& line, const std::string& prefix) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, '|');) fields.push_back(field);
  fields.resize(std::max<std::size_t>(fields.size(), line.ends_with('|') ? 5 : 0));
  if (fields.size() < 5) {
    fail(ErrorKind::backend, "squeue: got '{}', expected {}", line, kQueueFormat);
  }
  const std::string& name = fields[1];
  if (!name.starts_with(prefix + ".")) return std::nullopt;
  QueuedTask task{fields[0], fields[2], fields[3], fields[4], {prefix, 0, {}}, 0};
  const std::string_view rest = std::string_view(name).substr(prefix.size() + 1);
  const std::size_t dot = rest.find('.');
  const std::size_t underscore = task.id.find('_');
  const bool read = dot != std::string_view::npos &&
                    read_number(rest.substr(0, dot), task.name.round) &&
                    (underscore == std::string::npos ||
                     read_number(std::string_view(task.id).substr(underscore + 1), task.task));
  if (!read) fail(ErrorKind::backend, "squeue: got '{}', expected a job of ours", line);
  task.name.script = rest.substr(dot + 1);
  return task;
}

}  // namespace

std::vector<std::string> slurm_options(std::string_view text) {
  std::vector<std::string> options;
  bool takes_value = false;  // the last one may be followed by its value
  for (const std::string& word : split_words(text)) {
    if (word.size() > 1 && word[0] == '-') {
      require_free(word);
      options.push_back(sbatch_word(word));
      takes_value = word.starts_with("--") ? word.find('=') == std::string::npos : word.size() == 2;
    } else if (takes_value) {
      options.back() += " " + sbatch_word(word);
      takes_value = false;
    } else {
      fail(ErrorKind::usage, "--slurm: got '{}', expected options of sbatch, as in '{}'", word,
           "--partition=main --account=physics");
    }
  }
  return options;
}

bool has_one_constraint(const std::vector<std::string>& options) {
  std::string constraint;
  for (const std::string& option : options) {
    const std::string value = constraint_of(option);
    if (!value.empty()) constraint = value;
  }
  return !constraint.empty() && constraint.find('|') == std::string::npos;
}

std::string text_of(const Script& s) {
  std::string text = fmt::format("#!/bin/bash\n# {}\n", s.comment);
  const auto add = [&text](const std::string& option) { text += "#SBATCH " + option + "\n"; };
  add("--job-name=" + s.name);
  if (s.tasks > 0) {
    add(fmt::format("--array=1-{}{}", s.tasks,
                    s.at_once > 0 ? fmt::format("%{}", s.at_once) : std::string()));
  }
  add("--nodes=1");
  add("--ntasks=1");
  add(fmt::format("--cpus-per-task={}", s.cores));
  if (s.exclusive) add("--exclusive");
  add(s.gigabytes > 0 ? fmt::format("--mem={}G", s.gigabytes) : "--mem=0");
  add(fmt::format("--time={}:00:00", s.hours));
  add("--requeue");
  add("--signal=B:TERM@120");
  add("--open-mode=append");
  add("--chdir=" + sbatch_word(s.folder.string()));
  add("--output=" + sbatch_word(without_patterns((s.folder / "logs").string()) +
                                (s.tasks > 0 ? "/%x-%A_%a.log" : "/%x-%j.log")));
  if (!s.options.empty()) text += "# Given with --slurm:\n";
  for (const std::string& option : s.options) add(option);
  return text + "\nexec " + s.command + "\n";
}

std::string JobName::text() const { return fmt::format("{}.{}.{}", prefix, round, script); }

std::string job_prefix(const std::string& suite, const fs::path& out) {
  std::string name;
  for (const char c : suite) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += plain || c == '-' || c == '_' ? c : '_';
  }
  return fmt::format("lra-{}-{}", name, sha256_hex(out.string()).substr(0, 8));
}

std::vector<QueuedTask> parse_queue(const std::string& text, const std::string& prefix) {
  std::vector<QueuedTask> tasks;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.empty()) continue;
    if (auto task = parse_line(line, prefix)) tasks.push_back(std::move(*task));
  }
  return tasks;
}

std::vector<QueuedTask> read_queue(const std::string& prefix) {
  const CommandResult result =
      run_command({"squeue", "-h", "-r", "-o", kQueueFormat, fmt::format("--user={}", ::getuid())});
  if (result.missing) {
    fail(ErrorKind::backend, "squeue: not found in $PATH; run this where Slurm's commands are");
  }
  if (result.code != 0) {
    fail(ErrorKind::backend, "squeue: exit code {}: {}", result.code, in_one_line(result.err));
  }
  return parse_queue(result.out, prefix);
}

std::string submit_script(const fs::path& file, const std::vector<std::string>& after) {
  std::vector<std::string> words{"sbatch", "--parsable"};
  if (!after.empty()) {
    words.push_back(fmt::format("--dependency=afterany:{}", fmt::join(after, ":")));
  }
  words.push_back(file.string());
  const CommandResult result = run_command(words);
  if (result.missing) {
    fail(ErrorKind::backend,
         "sbatch: not found in $PATH; the files are in {}; run the same command where Slurm's "
         "commands are",
         file.parent_path().string());
  }
  if (result.code != 0) {
    fail(ErrorKind::backend, "sbatch {}: exit code {}: {}", file.string(), result.code,
         in_one_line(result.err));
  }
  // "ID" or "ID;CLUSTER".
  std::string id = result.out.substr(0, result.out.find_first_of(";\n"));
  if (std::int64_t number = 0; !read_number(std::string_view(id), number)) {
    fail(ErrorKind::backend, "sbatch {}: got '{}', expected the number of a job", file.string(),
         result.out);
  }
  return id;
}

}  // namespace lra::harness::cluster

#pragma once
// For tests of tasks: a temporary folder, a data set in memory, statistics, and the official data
// if available.

#include <fmt/format.h>
#include <stdlib.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tasks/task.h"
#include "tests/catch.h"

namespace lra::tasks::testing {

namespace fs = std::filesystem;

class TempFolder {
 public:
  TempFolder() {
    std::string name = (fs::temp_directory_path() / "lra-tasks-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) fail(ErrorKind::io, "{}: cannot create", name);
    path_ = name;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code code;
    fs::remove_all(path_, code);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }
  // NOLINTNEXTLINE(modernize-use-nodiscard): mostly called for the file.
  fs::path write(const std::string& name, std::string_view content) const {
    write_file_atomic(path_ / name, content);
    return path_ / name;
  }

 private:
  fs::path path_;
};

// Sets an environment variable during a test.
class Variable {
 public:
  Variable(std::string name, const std::string& value) : name_(std::move(name)) {
    if (const char* old = std::getenv(name_.c_str())) old_ = old;
    ::setenv(name_.c_str(), value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    if (old_) {
      ::setenv(name_.c_str(), old_->c_str(), 1);
    } else {
      ::unsetenv(name_.c_str());
    }
  }

 private:
  std::string name_;
  std::optional<std::string> old_;
};

// Sink that keeps the examples of a reader.
class MemorySink final : public ExampleSink {
 public:
  struct Kept {
    std::vector<Token> tokens, second;
    std::int32_t label = 0;
    bool operator==(const Kept&) const = default;
  };
  void add(Split split, const Example& example) override {
    splits[split_index(split)].push_back({{example.tokens.begin(), example.tokens.end()},
                                          {example.second.begin(), example.second.end()},
                                          example.label});
  }
  void fault(const std::string& message) override { faults.push_back(message); }
  [[nodiscard]] const std::vector<Kept>& operator[](Split split) const {
    return splits[split_index(split)];
  }
  std::array<std::vector<Kept>, 3> splits;
  std::vector<std::string> faults;
};

// Options that look into one folder only and keep the cache in another.
inline OpenOptions options_for(const fs::path& data, const fs::path& cache) {
  OpenOptions options;
  options.data = data;
  options.cache = cache;
  return options;
}

// The message of the error thrown by a call; empty if it throws none.
template <class Call>
std::string error_of(const Call& call, ErrorKind kind = ErrorKind::data) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.kind() == kind);
    return error.what();
  }
  return {};
}

// Folder of the official data ($LRA_TEST_DATA), if given.
inline std::optional<fs::path> official_data(const std::string& name) {
  const char* folder = std::getenv("LRA_TEST_DATA");
  if (folder == nullptr || !fs::exists(fs::path(folder) / name)) {
    WARN("skipped: no official data (set LRA_TEST_DATA to a folder that contains " << name << ")");
    return std::nullopt;
  }
  return fs::path(folder) / name;
}

// Two-sample chi-square over categories: sum (K1 a - K2 b)^2 / (a + b), K1 = sqrt(B / A).
inline double chi_square(const std::vector<double>& a, const std::vector<double>& b) {
  double total_a = 0;
  double total_b = 0;
  for (const double x : a) total_a += x;
  for (const double x : b) total_b += x;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference =
        std::sqrt(total_b / total_a) * a[i] - std::sqrt(total_a / total_b) * b[i];
    if (a[i] + b[i] > 0) sum += difference * difference / (a[i] + b[i]);
  }
  return sum;
}

}  // namespace lra::tasks::testing

// Files that are malformed or damaged, given to the program: one line that names file and place,
// and an exit code; never a crash or an internal error.

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>

#include "engine/base/file.h"
#include "tests/catch.h"

using lra::testing::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

struct Scratch {
  Scratch() { fs::create_directories(path); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { fs::remove_all(path); }
  [[nodiscard]] std::string write(const std::string& name, const std::string& content) const {
    lra::write_file_atomic(path / name, content);
    return path / name;
  }
  fs::path path = fs::temp_directory_path() / fmt::format("lra-hostile-{}", ::getpid());
};

// What the program writes to stderr, in one line; its exit code must be the expected one.
std::string refused(const Scratch& scratch, const std::string& arguments, int code) {
  const std::string command =
      fmt::format("cd '{}' && XDG_CACHE_HOME='{}' '{}' {} 2>&1 >/dev/null", scratch.path.string(),
                  (scratch.path / "cache").string(), LRA_PROGRAM, arguments);
  std::FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string told;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) told += static_cast<char>(c);
  const int status = ::pclose(pipe);
  INFO(arguments);
  INFO(told.substr(0, 2000));
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == code);
  CHECK(std::count(told.begin(), told.end(), '\n') == 1);
  CHECK(told.size() < 1000);
  CHECK_THAT(told, !ContainsSubstring("internal error"));
  return told;
}

}  // namespace

TEST_CASE("hostile files: suites", "[run]") {
  const Scratch scratch;
  const std::string base =
      R"("schema": "lra-suite/1", "tasks": ["induction"], "attentions": ["linear"])";
  const auto suite = [&](const std::string& text, const std::string& message) {
    static_cast<void>(scratch.write("s.json", text));
    CHECK_THAT(refused(scratch, "run s.json --out out", 2),
               ContainsSubstring("s.json") && ContainsSubstring(message));
  };
  suite(std::string(100000, '[') + std::string(100000, ']'), "s.json:1:101: nested too deeply");
  suite("{" + base + R"(, "name": ")" + std::string(100000, 'a') + "\"}",
        "/name: got 100000 characters, expected at most 100");
  suite("{" + base + R"(, "seeds": [99999999999999999999]})", "/seeds/0: wrong type");
  suite("{" + base + ",\n\"settings\": {\"train.lr\": 1e999}}",
        "s.json:2:30: a number is out of range; got 1e999");
  static_cast<void>(
      scratch.write("s.json", "{" + base + R"(, "preset": ")" + std::string(100000, 'p') + "\"}"));
  CHECK_THAT(refused(scratch, "run s.json --out out", 2), ContainsSubstring("unknown preset 'ppp"));
  suite("{" + base + ",", "the file is cut");
  suite("{\"name\": \"\xff\"}", "not UTF-8");
}

TEST_CASE("hostile files: plugins", "[run]") {
  const Scratch scratch;
  const std::string elf = lra::read_file("/proc/self/exe");
  for (const std::size_t size :
       {std::size_t{3}, std::size_t{63}, std::size_t{2000}, elf.size() / 2, elf.size() - 1}) {
    INFO(size);
    static_cast<void>(scratch.write("p.so", elf.substr(0, size)));
    CHECK_THAT(refused(scratch, "--plugin p.so list attention", 3),
               ContainsSubstring("--plugin p.so: not a shared library, or cut"));
  }
  static_cast<void>(scratch.write("p.so", ""));
  CHECK_THAT(refused(scratch, "--plugin p.so list attention", 3), ContainsSubstring("p.so"));
  CHECK_THAT(refused(scratch, "--plugin none.so list attention", 3), ContainsSubstring("none.so"));
}

TEST_CASE("hostile files: names that are not UTF-8", "[run]") {
  const Scratch scratch;
  const fs::path data = scratch.path / "caf\xe9";
  fs::create_directories(data);
  lra::write_file_atomic(data / "train.csv", "label,text\n0,a\n1,b\n");
  CHECK_THAT(refused(scratch, "data check text --data caf\xe9", 3),
             ContainsSubstring("holds none; expected"));
  CHECK_THAT(refused(scratch, "data check text --data caf\xe9/none --json", 3),
             ContainsSubstring("does not exist"));
  CHECK_THAT(refused(scratch, "table caf\xe9", 3), ContainsSubstring("no result.json"));
}

// Files that are malformed or damaged, given to the program: one line that names file and place,
// and an exit code; never a crash or an internal error.

#include <algorithm>
#include <filesystem>
#include <string>

#include "engine/base/file.h"
#include "tests/catch.h"
#include "tests/process.h"

using lra::testing::ContainsSubstring;
namespace fs = std::filesystem;

namespace {

struct Scratch : lra::testing::Scratch {
  Scratch() : lra::testing::Scratch("hostile") {}
  void write(const std::string& name, const std::string& content) const {
    lra::write_file_atomic(path() / name, content);
  }
};

// What the program writes to stderr, in one line; its exit code must be the expected one.
std::string refused(const Scratch& scratch, const std::string& arguments, int code) {
  const lra::testing::Ended ended = lra::testing::run_line(arguments, scratch);
  INFO(arguments);
  INFO(ended.err.substr(0, 2000));
  CHECK(ended.code == code);
  CHECK(std::count(ended.err.begin(), ended.err.end(), '\n') == 1);
  CHECK(ended.err.size() < 1000);
  CHECK_THAT(ended.err, !ContainsSubstring("internal error"));
  return ended.err;
}

}  // namespace

TEST_CASE("hostile files: suites", "[run]") {
  const Scratch scratch;
  const std::string base =
      R"("schema": "lra-suite/1", "tasks": ["induction"], "attentions": ["linear"])";
  const auto suite = [&](const std::string& text, const std::string& message) {
    scratch.write("s.json", text);
    CHECK_THAT(refused(scratch, "run s.json --out out", 2),
               ContainsSubstring("s.json") && ContainsSubstring(message));
  };
  suite(std::string(100000, '[') + std::string(100000, ']'), "s.json:1:101: nested too deeply");
  suite("{" + base + R"(, "name": ")" + std::string(100000, 'a') + "\"}",
        "/name: got 100000 characters, expected at most 100");
  suite("{" + base + R"(, "seeds": [99999999999999999999]})", "/seeds/0: wrong type");
  suite("{" + base + ",\n\"settings\": {\"train.lr\": 1e999}}",
        "s.json:2:30: a number is out of range; got 1e999");

  scratch.write("s.json", "{" + base + R"(, "preset": ")" + std::string(100000, 'p') + "\"}");
  CHECK_THAT(refused(scratch, "run s.json --out out", 2), ContainsSubstring("unknown preset 'ppp"));
  suite("{" + base + ",", "the text is truncated");
  suite("{\"name\": \"\xff\"}", "not UTF-8");
}

TEST_CASE("hostile files: plugins", "[run]") {
  const Scratch scratch;
  const std::string elf = lra::read_file("/proc/self/exe");
  for (const std::size_t size :
       {std::size_t{3}, std::size_t{63}, std::size_t{2000}, elf.size() / 2, elf.size() - 1}) {
    INFO(size);
    scratch.write("p.so", elf.substr(0, size));
    CHECK_THAT(refused(scratch, "--plugin p.so list attention", 3),
               ContainsSubstring("--plugin p.so: not a shared library, or truncated"));
  }
  scratch.write("p.so", "");
  CHECK_THAT(refused(scratch, "--plugin p.so list attention", 3), ContainsSubstring("p.so"));
  CHECK_THAT(refused(scratch, "--plugin none.so list attention", 3), ContainsSubstring("none.so"));
}

TEST_CASE("hostile files: plugins whose initialisers throw, end the program or miss a symbol",
          "[run]") {
  const Scratch scratch;
  const auto said = [&](const char* plugin) {
    return refused(scratch, fmt::format("--plugin {} list attention", plugin), 3);
  };
  CHECK_THAT(said(LRA_HOSTILE_PLUGIN_1), ContainsSubstring("its initialiser threw an exception\n"));
  CHECK_THAT(said(LRA_HOSTILE_PLUGIN_2),
             ContainsSubstring("threw an exception: caf\\xe9 of two lines"));
  CHECK_THAT(said(LRA_HOSTILE_PLUGIN_3), ContainsSubstring("undefined symbol"));
  CHECK_THAT(said(LRA_HOSTILE_PLUGIN_4), ContainsSubstring("its initialiser ended the program"));
  // Without a stderr the exit code is the same.
  const lra::testing::Ended mute =
      lra::testing::run_program({"--plugin", LRA_HOSTILE_PLUGIN_2, "list", "attention"}, scratch,
                                [] { ::close(STDERR_FILENO); });
  CHECK(mute.code == 3);
}

TEST_CASE("hostile files: names that are not UTF-8", "[run]") {
  const Scratch scratch;
  const fs::path data = scratch.path() / "caf\xe9";
  fs::create_directories(data);
  lra::write_file_atomic(data / "train.csv", "label,text\n0,a\n1,b\n");
  CHECK_THAT(refused(scratch, "data check text --data caf\xe9", 3),
             ContainsSubstring("contains no such data; expected"));
  CHECK_THAT(refused(scratch, "data check text --data caf\xe9/none --json", 3),
             ContainsSubstring("does not exist"));
  CHECK_THAT(refused(scratch, "table caf\xe9", 3), ContainsSubstring("no result.json"));
}

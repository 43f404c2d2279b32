// Rules for every variant of the registry: a new one is covered by being registered. The
// checks are those of checks.h, which `lra check variant` runs too.

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "attention/check/checks.h"
#include "attention/check/trial.h"
#include "engine/runtime.h"
#include "tests/catch.h"

namespace lra::attention {
namespace {

// Runs a check on every variant; a failure names the variant.
void check_all(const std::string& check) {
  for (const std::string& name : registry().names()) {
    INFO("variant " << name);
    CHECK(run_check(check, name).faults == std::vector<std::string>());
  }
}

TEST_CASE("attention: every file that registers a variant is in the registry, under its name",
          "[unit]") {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::string(lra::testing::source_dir()) + "/attention")) {
    if (entry.path().extension() != ".cpp") continue;
    std::ifstream stream(entry.path());
    std::string line;
    while (std::getline(stream, line)) {
      if (line.starts_with("LRA_ATTENTION(")) files.push_back(entry.path().stem().string());
    }
  }
  std::sort(files.begin(), files.end());
  CHECK(files == registry().names());
}

TEST_CASE("attention: metadata are complete", "[unit]") { check_all("metadata"); }

TEST_CASE("attention: unknown options are refused, and causal is one where the traits say so",
          "[unit]") {
  check_all("options");
}

TEST_CASE("attention: permuted tokens give the permuted output where the traits say so", "[unit]") {
  check_all("permutation");
}

TEST_CASE("attention: draws at each call where the traits say so", "[unit]") {
  check_all("stochastic");
}

TEST_CASE("attention: causal outputs do not see what comes later", "[unit]") {
  check_all("causal");
}

TEST_CASE("attention: padding changes nothing where it is honoured", "[unit]") {
  check_all("padding");
}

TEST_CASE("attention: the content of padded rows has no effect", "[unit]") {
  check_all("padded rows");
}

TEST_CASE("attention: large inputs stay finite, forwards and backwards", "[unit]") {
  check_all("large inputs");
}

TEST_CASE("attention: bf16 agrees with f32 on the same values", "[unit]") { check_all("bf16"); }

TEST_CASE("attention: two instances at once give the bits that each gives alone", "[unit]") {
  check_all("threads");
}

TEST_CASE("attention: no primitive of a step at n = 512 is a reference kernel", "[unit]") {
  check_all("kernels");
}

TEST_CASE("attention: output and all gradients agree with the definition", "[grad]") {
  check_all("definition");
}

TEST_CASE("attention: no primitive of a step at n = 2048 is a reference kernel", "[unit][slow]") {
  for (const std::string& name : registry().names()) {
    INFO("variant " << name);
    CHECK(reference_kernels(name, 2048, DType::f32) == std::vector<std::string>());
    if (!engine::machine().native_bf16) continue;
    CHECK(reference_kernels(name, 2048, DType::bf16) == std::vector<std::string>());
  }
}

}  // namespace
}  // namespace lra::attention

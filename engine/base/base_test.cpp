#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/locks.h"
#include "engine/base/options.h"
#include "engine/base/random.h"
#include "engine/base/registry.h"
#include "engine/base/text.h"
#include "tests/catch.h"

using lra::testing::Approx;
using lra::testing::ContainsSubstring;
namespace fs = std::filesystem;

namespace {
enum class Colour { red, green };
constexpr auto texts(Colour) { return lra::enum_texts("red", "green"); }
}  // namespace

TEST_CASE("philox: known answers of the Random123 distribution", "[unit]") {
  using Block = std::array<std::uint32_t, 4>;
  CHECK(lra::philox({0, 0, 0, 0}, 0) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(lra::philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffffffffffffU) ==
        Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
}

TEST_CASE("random: streams of different keys differ, draws are uniform", "[unit]") {
  const lra::RandomKey key(7);
  CHECK(key.of("a").value() != key.of("b").value());
  CHECK(key.of(1).of(2).value() != key.of(2).of(1).value());
  lra::RandomStream stream(key);
  std::array<int, 10> histogram{};
  double sum = 0;
  double square = 0;
  for (int i = 0; i < 100000; ++i) ++histogram[stream.below(10)];
  for (int i = 0; i < 100000; ++i) {
    const double x = stream.normal();
    sum += x;
    square += x * x;
  }
  for (const int count : histogram) CHECK(std::abs(count - 10000) < 500);
  CHECK(std::abs(sum / 1e5) < 0.02);
  CHECK(square / 1e5 == Approx(1.0).margin(0.03));
}

TEST_CASE("registry: unknown names list near matches", "[unit]") {
  lra::Registry<int> registry("attention");
  registry.add("linear_transformer", 1, {"linear"});
  registry.add("softmax", 2);
  CHECK(registry.at("linear") == 1);
  CHECK(registry.canonical("linear") == "linear_transformer");
  CHECK_THROWS_WITH(registry.at("sofmax"), ContainsSubstring("did you mean softmax?"));
  CHECK(registry.names() == std::vector<std::string>{"linear_transformer", "softmax"});
  CHECK(!registry.add("softmax", 3));
  CHECK_THROWS_WITH(registry.at("linear"), ContainsSubstring("'softmax' is registered twice"));
  const std::string message = lra::unknown_name_message("task", std::string(100000, 'x'), {"text"});
  CHECK(message.size() < 200);
  for (const char* taken : {"a", "b"}) {
    lra::Registry<int> aliased("task");
    aliased.add("a", 1, {"b"});
    CHECK(!aliased.add("c", 2, {taken}));
    CHECK_THROWS_WITH(aliased.names(), ContainsSubstring("is registered twice"));
  }
}

TEST_CASE("options: defaults, ranges, strings, unknown names", "[unit]") {
  double eps = 1e-6;
  std::string act = "relu";
  bool causal = false;
  std::int64_t block = 64;
  lra::OptionTable table;
  table.number("eps", eps, 0, 1, "floor")
      .choice("act", act, {"relu", "elu1"}, "feature map")
      .flag("causal", causal, "mask the future")
      .integer("block", block, 1, 4096, "block length");
  table.assign({{"eps", "1e-4"}, {"causal", "true"}, {"block", 32}}, "here");
  CHECK(eps == 1e-4);
  CHECK(causal);
  CHECK(block == 32);
  CHECK_THROWS_WITH(table.assign({{"epsilon", 1}}, "attention/x"),
                    ContainsSubstring("attention/x: unknown option 'epsilon'; did you mean eps?"));
  CHECK_THROWS_WITH(table.assign({{"eps", 2}}, "w"), ContainsSubstring("[0, 1]"));
  CHECK_THROWS_WITH(table.assign({{"act", "tanh"}}, "w"), ContainsSubstring("one of relu, elu1"));
  CHECK_THROWS_AS(table.assign({{"block", 1.5}}, "w"), lra::Error);
  CHECK_THROWS_AS(table.assign({{"eps", std::nan("")}}, "w"), lra::Error);
  CHECK(table.values()["block"] == 32);
  Colour colour = Colour::green;
  lra::OptionTable colours;
  colours.choice("colour", colour, "of the light");
  CHECK(colours.values()["colour"] == "green");
  colours.assign({{"colour", "red"}}, "w");
  CHECK(colour == Colour::red);
  CHECK_THROWS_WITH(colours.assign({{"colour", "blue"}}, "w"), ContainsSubstring("red, green"));
  CHECK(colours.describe()[0].at("choices") == nlohmann::json{"red", "green"});
  CHECK(lra::enum_of<Colour>("blue") == std::nullopt);
  std::int64_t seed = 0;
  lra::OptionTable seeds;
  seeds.integer("seed", seed, std::numeric_limits<std::int64_t>::min(),
                std::numeric_limits<std::int64_t>::max(), "any");
  for (const char* large : {"18446744073709551615", "1e19"}) {  // not taken for -1
    CHECK_THROWS_AS(seeds.assign({{"seed", nlohmann::json::parse(large)}}, "w"), lra::Error);
    CHECK_THROWS_AS(seeds.assign({{"seed", large}}, "w"), lra::Error);
  }
}

TEST_CASE("files: atomic writes replace whole files or nothing", "[unit]") {
  const fs::path folder = fs::temp_directory_path() / fmt::format("lra-base-{}", ::getpid());
  const fs::path file = folder / "deep" / "x.json";
  lra::write_json(file, {{"a", 1}});
  CHECK(lra::read_json(file)["a"] == 1);
  {
    lra::AtomicFile half(file);
    half.write("cut");
  }
  CHECK(lra::read_json(file)["a"] == 1);
  CHECK(std::distance(fs::directory_iterator(folder / "deep"), fs::directory_iterator()) == 1);
  lra::write_file_atomic(file, "{\"a\": 1,\n  oops}");
  CHECK_THROWS_WITH(lra::read_json(file), ContainsSubstring("x.json:2:3: not valid JSON"));
  CHECK_THROWS_AS(lra::read_file(folder / "none"), lra::Error);
  CHECK_THROWS_AS(lra::write_file_atomic("/proc/none/x", "y"), lra::Error);
  // A link stays one; a pipe or device is written, not replaced.
  fs::create_symlink(file, folder / "link");
  lra::write_file_atomic(folder / "link", "through");
  CHECK(fs::is_symlink(folder / "link"));
  CHECK(lra::read_file(file) == "through");
  const fs::path pipe = folder / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::string read;
  std::thread reader([&] {
    std::ifstream in(pipe);
    std::getline(in, read);
  });
  lra::write_file_atomic(pipe, "into the pipe\n");
  reader.join();
  CHECK(read == "into the pipe");
  CHECK(fs::is_fifo(pipe));
  CHECK_THROWS_WITH(lra::write_file_atomic("/dev/full", "x"), ContainsSubstring("cannot write"));
  CHECK(fs::is_character_file("/dev/full"));
  const auto lock = lra::FileLock::try_lock(folder / "lock");
  CHECK(lock != nullptr);
  CHECK(lra::FileLock::try_lock(folder / "lock") == nullptr);
  fs::remove_all(folder);
}

TEST_CASE("files: what killed writers left is removed, a living writer's is not", "[unit]") {
  const fs::path folder = fs::temp_directory_path() / fmt::format("lra-abandoned-{}", ::getpid());
  fs::create_directories(folder);
  for (const char* name :
       {"a.json.12-0.tmp", "a.tmp", "b.1-2.tmp.txt", "c-1-2.tmp", "d.x1-2.tmp"}) {
    lra::write_file_atomic(folder / name, "x");
  }
  {
    lra::AtomicFile living(folder / "living");
    living.write("x");
    lra::remove_abandoned(folder);
    living.commit();
  }
  lra::remove_abandoned(folder / "nowhere");
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder)) left.push_back(entry.path().filename());
  std::sort(left.begin(), left.end());
  CHECK(left ==
        std::vector<std::string>{"a.tmp", "b.1-2.tmp.txt", "c-1-2.tmp", "d.x1-2.tmp", "living"});
  fs::remove_all(folder);
}

TEST_CASE("digest: SHA-256 of the empty text and of abc", "[unit]") {
  CHECK(lra::sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(lra::sha256_hex("abc") ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("text: a number that is none is NaN whatever its sign bit", "[unit]") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(lra::number_text(nan) == "NaN");
  CHECK(lra::number_text(std::copysign(nan, -1.0)) == "NaN");
  CHECK(lra::number_text(-0.25) == "-0.25");
  CHECK(lra::number_text(-std::numeric_limits<double>::infinity()) == "-inf");
}

TEST_CASE("exit codes follow the kind of error", "[unit]") {
  CHECK(lra::exit_code(lra::ErrorKind::usage) == 2);
  CHECK(lra::exit_code(lra::ErrorKind::data) == 3);
  CHECK(lra::exit_code(lra::ErrorKind::io) == 3);
  CHECK(lra::exit_code(lra::ErrorKind::numeric) == 4);
}

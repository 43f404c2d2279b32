#include "engine/base/json.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/base/file.h"
#include "engine/base/text.h"
#include "tests/catch.h"

using lra::ErrorKind;
using lra::testing::ContainsSubstring;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

json parsed(const std::string& text) { return lra::parse_json(text, "f.json"); }

}  // namespace

TEST_CASE("json: what is refused is named with line and column", "[unit]") {
  const auto refused = [](const std::string& text, const std::string& message) {
    INFO(text.substr(0, 60));
    CHECK_THROWS_WITH(parsed(text), ContainsSubstring(message));
  };
  refused("{\"a\": 1,\n  oops}", "f.json:2:3: not valid JSON");
  refused("", "f.json:1:1: the text is truncated");
  refused("{\"a\": [1, 2", "the text is truncated");
  refused("{\"a\":\n NaN}", "f.json:2:2: got NaN, expected a finite number or null");
  refused("[-Infinity]", "got Infinity");
  refused("{\"a\":\n 1e999}", "f.json:2:6: a number is out of range; got 1e999");
  refused("[\"caf\xe9\"]", "text that is not UTF-8");
  refused(std::string("[1]\0", 4), "f.json:1:4: not valid JSON");
  CHECK_THROWS_WITH(lra::parse_json("[1,\n oops]", "f.json", ErrorKind::data, 7),
                    ContainsSubstring("f.json:8:2: not valid JSON"));
  CHECK_THROWS_AS(lra::parse_json("[", "f.json", ErrorKind::config), lra::Error);
  try {
    static_cast<void>(lra::parse_json("[", "f.json", ErrorKind::config));
  } catch (const lra::Error& error) {
    CHECK(error.kind() == ErrorKind::config);
  }
}

TEST_CASE("json: a member stands once in its object", "[unit]") {
  const auto refused = [](const std::string& text, const std::string& message) {
    INFO(text);
    CHECK_THROWS_WITH(parsed(text), ContainsSubstring(message));
  };
  refused("{\"a\": 1,\n \"b\": 2, \"a\": 1}", "f.json:2:10: a occurs twice in one object");
  refused("[{\"x\": {\"y\" : [], \"y\"\n: {}}}]", "f.json:1:19: y occurs twice");
  refused("{\"a\\\"b\": 1, \"a\\\"b\": 2}", "occurs twice");
  refused("{\"a\": [\":\", {\"b\": 1}],\n\"\\u0061\": 2}", "f.json:2:1: \\u0061 occurs twice");
  refused("{\"a\": 1, \"a\"", "f.json:1:13: the text is truncated");
  refused("{\"a\": 1, \"a\": 2, oops}", "f.json:1:18: not valid JSON");
  CHECK(parsed("{\"a\": {\"a\": [\"a\", \"a\", {\"a\": 1}, {\"a\": \"a\"}]}, \"b\": {\"a\": 1}}")
            .size() == 2);
  CHECK(parsed("[\"a\\\"\", \"a\\\\\", {\"a\\\\\": 1, \"a\": \"{\", \"a\\\"\": \"}\"}]").size() ==
        3);
}

TEST_CASE("json: values are those of the parser", "[unit]") {
  for (const char* text :
       {"null", " true", "-0", "-7", "7", "18446744073709551615", "-9223372036854775808", "1e-7",
        "1.0", "\"\"", "\"caf\\u00e9 \\n\"", "[]", "{}",
        "[[], {}, [[1, 2.5], \"x\"], {\"b\": [{}]}]",
        "{\"\": {\"b\": {\"a\": [1, {\"c\": null}], \"d\": false}, \"a\": {}}, \"z\": []}"}) {
    INFO(text);
    const json value = parsed(text);
    const json wanted = json::parse(text);
    CHECK(value == wanted);
    CHECK(value.type() == wanted.type());
    CHECK(value.dump() == wanted.dump());
  }
}

TEST_CASE("json: nesting has a limit, brackets in texts do not count", "[unit]") {
  const auto nested = [](std::size_t depth, const std::string& open, const std::string& close) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += open;
    text += "1";
    for (std::size_t i = 0; i < depth; ++i) text += close;
    return text;
  };
  CHECK(parsed(nested(lra::kMaxJsonDepth, "[", "]")).size() == 1);
  for (const std::size_t depth : {std::size_t{lra::kMaxJsonDepth} + 1, std::size_t{100000}}) {
    CHECK_THROWS_WITH(parsed(nested(depth, "[", "]")),
                      ContainsSubstring("f.json:1:101: nested too deeply"));
    CHECK_THROWS_WITH(parsed(nested(depth, "{\"a\":", "}")),
                      ContainsSubstring("nested too deeply"));
  }
  CHECK(parsed("\"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\"").is_string());
}

TEST_CASE("json: names of files that are not UTF-8 can be written", "[unit]") {
  CHECK(lra::json_text({{"a", "caf\xe9"}}) == "{\"a\":\"caf\xef\xbf\xbd\"}");
  const fs::path file = fs::temp_directory_path() / fmt::format("lra-json-{}", ::getpid());
  lra::write_json(file, {{"a", "caf\xe9"}});
  CHECK(lra::read_json(file)["a"] == "caf\xef\xbf\xbd");
  fs::remove(file);
}

TEST_CASE("text: bytes outside of UTF-8 are escaped, all else stays", "[unit]") {
  const std::string good = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82z";
  CHECK(lra::valid_utf8(good) == good);
  CHECK(lra::utf8_prefix(good) == good.size());
  CHECK(lra::valid_utf8("caf\xe9!") == "caf\\xe9!");
  CHECK(lra::valid_utf8("\xc0\xaf") == "\\xc0\\xaf");               // overlong
  CHECK(lra::valid_utf8("\xe0\x9f\xbf") == "\\xe0\\x9f\\xbf");      // overlong
  CHECK(lra::valid_utf8("\xed\xa0\x80") == "\\xed\\xa0\\x80");      // a surrogate
  CHECK(lra::valid_utf8("\xf4\x90\x80\x80").starts_with("\\xf4"));  // beyond U+10FFFF
  CHECK(lra::valid_utf8("\xe2\x82") == "\\xe2\\x82");               // cut
  CHECK(lra::shortened("abcdef", 3) == "abc...");
  CHECK(lra::shortened("abc", 3) == "abc");
}

TEST_CASE("files: a mapped file that is cut ends the program with a message", "[unit]") {
  const fs::path file = fs::temp_directory_path() / fmt::format("lra-cut-{}", ::getpid());
  lra::write_file_atomic(file, std::string(1 << 16, 'x'));
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    const lra::MappedFile map(file);
    if (::truncate(file.c_str(), 0) != 0) ::_exit(100);
    const volatile std::byte* bytes = map.bytes().data();
    ::_exit(bytes[1 << 15] == std::byte{'x'} ? 101 : 102);
  }
  ::close(ends[1]);
  std::string told;
  std::array<char, 1000> piece{};  // the message comes in several
  for (ssize_t got = 0; (got = ::read(ends[0], piece.data(), piece.size())) > 0;) {
    told.append(piece.data(), static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  fs::remove(file);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 3);
  CHECK_THAT(told,
             ContainsSubstring("lra: " + file.string() + ": cannot read: the file was truncated"));
}

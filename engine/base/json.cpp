#include "engine/base/json.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "engine/base/file.h"
#include "engine/base/text.h"

namespace lra {
namespace {

using nlohmann::json;

// Position at which the nesting exceeds the limit; npos: none. The parser refuses malformed text.
std::size_t too_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxJsonDepth) return i;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return std::string_view::npos;
}

// Position of a duplicate member of an object in valid JSON text, of which the parser would keep
// the last; npos: none. Keys are compared as written.
std::size_t repeated_key(std::string_view text) {
  std::vector<std::set<std::string_view>> keys;  // of the open objects and arrays
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '[' || c == '{') {
      keys.emplace_back();
    } else if (c == ']' || c == '}') {
      keys.pop_back();
    } else if (c == '"') {
      const std::size_t start = i++;
      for (; text[i] != '"'; ++i) i += text[i] == '\\' ? 1 : 0;
      const std::size_t next = text.find_first_not_of(" \t\r\n", i + 1);
      const bool key = next != std::string_view::npos && text[next] == ':';
      if (key && !keys.back().insert(text.substr(start, i - start)).second) return start;
    }
  }
  return std::string_view::npos;
}

// Parses without building a value, to find where the parser stops and the last word read.
struct Locator final : nlohmann::json_sax<json> {
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return true; }
  bool key(string_t&) override { return true; }
  bool end_object() override { return true; }
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  bool parse_error(std::size_t at, const std::string& last, const json::exception& error) override {
    position = at;
    token = last;
    id = error.id;
    return false;
  }
  std::size_t position = 0;  // characters read
  std::string token;
  int id = 0;
};

constexpr int kNumberOverflow = 406;  // of nlohmann's exceptions

// Why a text is not JSON, from the position where the parser stopped.
std::string reason_at(std::string_view text, std::size_t at, const Locator& stop) {
  if (stop.id == kNumberOverflow) {
    return fmt::format("a number is out of range; got {}, expected a finite number",
                       shortened(stop.token));
  }
  if (const std::size_t good = utf8_prefix(text); good < text.size() && good <= at)
    return "text that is not UTF-8";
  std::size_t start = at;  // of the word in which the parser stopped
  while (start > 0 && std::isalpha(static_cast<unsigned char>(text[start - 1])) != 0) --start;
  const std::string_view word = text.substr(start);
  for (const char* name : {"NaN", "nan", "Infinity", "inf"}) {
    if (!word.starts_with(name)) continue;
    return fmt::format("got {}, expected a finite number or null",
                       shortened(word.substr(0, word.find_first_of(",}] \r\n"))));
  }
  if (text.find_first_not_of(" \t\r\n", at) == std::string_view::npos) {
    return "the text is truncated: it ends inside the JSON";
  }
  return "not valid JSON";
}

[[noreturn]] void fail_at(std::string_view text, std::size_t at, const std::string& where,
                          ErrorKind kind, std::int64_t first, const std::string& reason) {
  const std::string_view before = text.substr(0, at);
  const auto line = first + std::count(before.begin(), before.end(), '\n');
  const std::size_t end = before.rfind('\n');
  const std::size_t start = end == std::string_view::npos ? 0 : end + 1;
  fail(kind, "{}:{}:{}: {}", where, line, at - start + 1, reason);
}

}  // namespace

json parse_json(std::string_view text, const std::string& where, ErrorKind kind,
                std::int64_t line) {
  if (const std::size_t at = too_deep(text); at != std::string_view::npos) {
    fail_at(text, at, where, kind, line,
            fmt::format("nested too deeply; expected at most {} levels", kMaxJsonDepth));
  }
  if (const std::size_t at = text.find('\0'); at != std::string_view::npos) {
    fail_at(text, at, where, kind, line, "not valid JSON");  // the parser would take it for the end
  }
  json value = json::parse(text, nullptr, false);
  if (!value.is_discarded()) {
    if (const std::size_t at = repeated_key(text); at != std::string_view::npos) {
      const std::string_view key = text.substr(at + 1);
      fail_at(
          text, at, where, kind, line,
          fmt::format("{} occurs twice in one object", shortened(key.substr(0, key.find('"')))));
    }
    return value;
  }
  Locator stop;
  json::sax_parse(text, &stop);
  const std::size_t at = std::min(stop.position == 0 ? 0 : stop.position - 1, text.size());
  fail_at(text, at, where, kind, line, reason_at(text, at, stop));
}

json read_json(const std::filesystem::path& path, ErrorKind kind) {
  return parse_json(read_file(path), path.string(), kind);
}

// Declared in file.h.
json parse_json(std::string_view text, const std::string& where) {
  return parse_json(text, where, ErrorKind::data);
}
json read_json(const std::filesystem::path& path) { return read_json(path, ErrorKind::data); }

std::string json_text(const json& value, int indent) {
  return value.dump(indent, ' ', false, json::error_handler_t::replace);
}

}  // namespace lra

#include "engine/base/json.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "engine/base/file.h"
#include "engine/base/text.h"

namespace lra {
namespace {

using nlohmann::json;

// Builds the value in one pass over the text, and notes what is refused: the parser would keep the
// last of equal members, and later passes over the value are recursive.
class Builder final : public nlohmann::json_sax<json> {
 public:
  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // not in text
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    auto& members = *open_.back()->get_ptr<json::object_t*>();
    const auto [member, fresh] = members.try_emplace(std::move(name));
    ++keys_;
    if (!fresh && repeated == 0) repeated = keys_;
    member_ = &member->second;
    return true;
  }
  bool parse_error(std::size_t at, const std::string& last, const json::exception& error) override {
    position = at;
    token = last;
    id = error.id;
    return false;
  }

  json result;
  bool too_deep = false;
  std::size_t repeated = 0;  // number, from 1, of the first key that occurs twice; 0: none
  // Where the parser stopped:
  std::size_t position = 0;  // characters read
  std::string token;
  int id = 0;

 private:
  template <class T>
  bool put(T&& item) {
    placed(std::forward<T>(item));
    return true;
  }
  template <class T>
  json* placed(T&& item) {
    if (open_.empty()) return &(result = std::forward<T>(item));
    if (auto* items = open_.back()->get_ptr<json::array_t*>()) {
      return &items->emplace_back(std::forward<T>(item));
    }
    return &(*member_ = std::forward<T>(item));
  }
  bool open(json empty) {
    too_deep = open_.size() == kMaxJsonDepth;
    if (!too_deep) open_.push_back(placed(std::move(empty)));
    return !too_deep;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::vector<json*> open_;  // objects and arrays around the next value
  json* member_ = nullptr;   // of the innermost object, whose value is next
  std::size_t keys_ = 0;
};

// Position of the bracket that exceeds the nesting's limit, in text that is valid up to it.
std::size_t deep_position(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0;; ++i) {
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
}

// Position of a key by its number, from 1, in valid text.
std::size_t key_position(std::string_view text, std::size_t number) {
  for (std::size_t i = 0;; ++i) {
    if (text[i] != '"') continue;
    const std::size_t start = i++;
    for (; text[i] != '"'; ++i) i += text[i] == '\\' ? 1 : 0;
    const std::size_t next = text.find_first_not_of(" \t\r\n", i + 1);
    const bool key = next != std::string_view::npos && text[next] == ':';
    if (key && --number == 0) return start;
  }
}

constexpr int kNumberOverflow = 406;  // of nlohmann's exceptions

// Why a text is not JSON, from the position where the parser stopped.
std::string reason_at(std::string_view text, std::size_t at, const Builder& stop) {
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
  if (const std::size_t at = text.find('\0'); at != std::string_view::npos) {
    fail_at(text, at, where, kind, line, "not valid JSON");  // the parser would take it for the end
  }
  Builder built;
  if (json::sax_parse(text, &built)) {
    if (built.repeated == 0) return std::move(built.result);
    const std::size_t at = key_position(text, built.repeated);
    const std::string_view key = text.substr(at + 1);
    fail_at(text, at, where, kind, line,
            fmt::format("{} occurs twice in one object", shortened(key.substr(0, key.find('"')))));
  }
  if (built.too_deep) {
    fail_at(text, deep_position(text), where, kind, line,
            fmt::format("nested too deeply; expected at most {} levels", kMaxJsonDepth));
  }
  const std::size_t at = std::min(built.position == 0 ? 0 : built.position - 1, text.size());
  fail_at(text, at, where, kind, line, reason_at(text, at, built));
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

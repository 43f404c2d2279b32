#include "engine/base/json_schema.h"

#include <fmt/ranges.h>
#include <regex.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace lra {
namespace {

using nlohmann::json;

const std::set<std::string, std::less<>> kAnnotations{"$schema",     "$id",     "title",
                                                      "description", "default", "definitions"};
const std::set<std::string, std::less<>> kRules{
    "type",      "const",     "enum",     "properties", "required",         "additionalProperties",
    "items",     "minItems",  "maxItems", "minimum",    "maximum",          "exclusiveMinimum",
    "minLength", "maxLength", "pattern",  "anyOf",      "exclusiveMaximum", "$ref"};

// A value for an error message, shortened if long.
std::string shown(const json& value) { return shortened(json_text(value), 57); }

std::string escaped(const std::string& key) {  // RFC 6901
  std::string out;
  for (const char c : key) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

bool has_type(const json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "number") return value.is_number();
  // "integer": 1.0 counts (draft-07, 6.1.1).
  if (value.is_number_unsigned()) return std::in_range<std::int64_t>(value.get<std::uint64_t>());
  if (value.is_number_integer()) return true;
  if (!value.is_number_float()) return false;
  const auto number = value.get<double>();
  return number == std::floor(number) && number >= -0x1p63 && number < 0x1p63;
}

std::vector<std::string> as_list(const json& value) {
  if (value.is_string()) return {value.get<std::string>()};
  return value.get<std::vector<std::string>>();
}

// Whether a pattern occurs in a text. Not std::regex, whose search recurses once per character.
bool matches(const std::string& pattern, const std::string& text) {
  regex_t compiled{};
  if (::regcomp(&compiled, pattern.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
    fail(ErrorKind::config, "json schema: pattern {}: not a regular expression", pattern);
  }
  const bool whole = text.find('\0') == std::string::npos;  // it would end the text for regexec
  const bool found = whole && ::regexec(&compiled, text.c_str(), 0, nullptr, 0) == 0;
  ::regfree(&compiled);
  return found;
}

const json& resolve(const json& root, const std::string& reference) {
  const json::json_pointer pointer(reference.substr(1));
  if (!root.contains(pointer)) {
    fail(ErrorKind::config, "json schema: unresolved $ref '{}'", reference);
  }
  return root.at(pointer);
}

void check_keywords(const json& root, const json& schema, const std::string& path) {
  if (schema.is_boolean()) return;
  for (const auto& [key, value] : schema.items()) {
    const std::string at = fmt::format("{}/{}", path, key);
    if (kAnnotations.count(key) == 0 && kRules.count(key) == 0) {
      fail(ErrorKind::config, "json schema: {}: keyword outside the supported subset", at);
    }
    if (key == "properties" || key == "definitions") {
      for (const auto& [name, child] : value.items()) {
        check_keywords(root, child, fmt::format("{}/{}", at, name));
      }
    } else if (key == "items" || key == "additionalProperties") {
      check_keywords(root, value, at);
    } else if (key == "anyOf") {
      for (const auto& child : value) check_keywords(root, child, at);
    } else if (key == "$ref") {
      static_cast<void>(resolve(root, value.get<std::string>()));
    }
  }
}

class Checker {
 public:
  explicit Checker(const json& root) : root_(root) {}

  void check(const json& schema, const json& value, const std::string& path) {
    if (schema.is_boolean()) {
      if (!schema.get<bool>()) add(path, "is not allowed here; got {}", shown(value));
      return;
    }
    if (schema.contains("$ref")) {  // draft-07: siblings of $ref are ignored
      return check(resolve(root_, schema["$ref"].get<std::string>()), value, path);
    }
    if (!check_type(schema, value, path)) return;
    check_choice(schema, value, path);
    if (value.is_number()) check_number(schema, value.get<double>(), path);
    if (value.is_string()) check_string(schema, value.get<std::string>(), path);
    if (value.is_array()) check_array(schema, value, path);
    if (value.is_object()) check_object(schema, value, path);
  }

  std::vector<SchemaFault> faults;

 private:
  template <class... Args>
  void add(const std::string& path, fmt::format_string<Args...> format, Args&&... args) {
    faults.push_back({path, fmt::format(format, std::forward<Args>(args)...)});
  }

  bool check_type(const json& schema, const json& value, const std::string& path) {
    const auto type = schema.find("type");
    if (type == schema.end()) return true;
    const auto types = as_list(*type);
    if (std::any_of(types.begin(), types.end(),
                    [&](const std::string& name) { return has_type(value, name); })) {
      return true;
    }
    add(path, "wrong type; got {}, expected {}", shown(value), fmt::join(types, " or "));
    return false;
  }

  void check_choice(const json& schema, const json& value, const std::string& path) {
    if (const auto wanted = schema.find("const"); wanted != schema.end() && value != *wanted) {
      add(path, "got {}, expected {}", shown(value), shown(*wanted));
    }
    if (const auto choices = schema.find("enum");
        choices != schema.end() &&
        std::find(choices->begin(), choices->end(), value) == choices->end()) {
      std::vector<std::string> names;
      for (const auto& choice : *choices) names.push_back(shown(choice));
      add(path, "got {}, expected one of {}", shown(value), fmt::join(names, ", "));
    }
    const auto alternatives = schema.find("anyOf");
    if (alternatives == schema.end()) return;
    std::vector<std::string> reasons;
    for (const auto& alternative : *alternatives) {
      Checker inner(root_);
      inner.check(alternative, value, path);
      if (inner.faults.empty()) return;
      const SchemaFault& fault = inner.faults.front();
      reasons.push_back(fault.path == path ? fault.message : fault.path + ": " + fault.message);
    }
    add(path, "fits no alternative ({})", fmt::join(reasons, " | "));
  }

  void check_number(const json& schema, double value, const std::string& path) {
    const auto bound = [&](const char* key, auto holds, const char* text) {
      const auto limit = schema.find(key);
      if (limit != schema.end() && !holds(value, limit->template get<double>())) {
        add(path, "out of range; got {}, expected {} {}", value, text,
            limit->template get<double>());
      }
    };
    bound("minimum", std::greater_equal<>(), "at least");
    bound("maximum", std::less_equal<>(), "at most");
    bound("exclusiveMinimum", std::greater<>(), "more than");
    bound("exclusiveMaximum", std::less<>(), "less than");
  }

  void check_string(const json& schema, const std::string& value, const std::string& path) {
    if (const auto limit = schema.find("minLength");
        limit != schema.end() && value.size() < limit->get<std::size_t>()) {
      add(path, "got {} characters, expected at least {}", value.size(), limit->get<std::size_t>());
    }
    if (const auto limit = schema.find("maxLength");
        limit != schema.end() && value.size() > limit->get<std::size_t>()) {
      add(path, "got {} characters, expected at most {}", value.size(), limit->get<std::size_t>());
      return;
    }
    const auto pattern = schema.find("pattern");
    if (pattern == schema.end()) return;
    const auto text = pattern->get<std::string>();
    if (!matches(text, value)) {
      add(path, "got {}, expected the pattern {}", shown(value), text);
    }
  }

  void check_array(const json& schema, const json& value, const std::string& path) {
    const auto limit = [&](const char* key) { return schema.at(key).get<std::size_t>(); };
    if (schema.contains("minItems") && value.size() < limit("minItems")) {
      add(path, "got {} items, expected at least {}", value.size(), limit("minItems"));
    }
    if (schema.contains("maxItems") && value.size() > limit("maxItems")) {
      add(path, "got {} items, expected at most {}", value.size(), limit("maxItems"));
    }
    const auto items = schema.find("items");
    if (items == schema.end()) return;
    for (std::size_t i = 0; i < value.size(); ++i) {
      check(*items, value[i], fmt::format("{}/{}", path, i));
    }
  }

  void check_object(const json& schema, const json& value, const std::string& path) {
    if (const auto required = schema.find("required"); required != schema.end()) {
      for (const auto& name : *required) {
        const auto key = name.get<std::string>();
        if (!value.contains(key)) add(fmt::format("{}/{}", path, escaped(key)), "is missing");
      }
    }
    static const json kNone = json::object();
    const auto found = schema.find("properties");
    const json& properties = found == schema.end() ? kNone : *found;
    const auto rest = schema.find("additionalProperties");
    for (const auto& [key, child] : value.items()) {
      const std::string at = fmt::format("{}/{}", path, escaped(key));
      if (const auto known = properties.find(key); known != properties.end()) {
        check(*known, child, at);
      } else if (rest != schema.end() && rest->is_boolean() && !rest->get<bool>()) {
        std::vector<std::string> names;
        for (const auto& item : properties.items()) names.push_back(item.key());
        faults.push_back({at, unknown_name_message("field", key, names)});
      } else if (rest != schema.end()) {
        check(*rest, child, at);
      }
    }
  }

  const json& root_;
};

}  // namespace

JsonSchema::JsonSchema(const json& schema) : schema_(std::make_unique<const json>(schema)) {
  check_keywords(*schema_, *schema_, "#");
}

JsonSchema::JsonSchema(std::string_view text, const std::string& where)
    : JsonSchema(parse_json(text, where)) {}

JsonSchema::~JsonSchema() = default;

std::vector<SchemaFault> JsonSchema::check(const json& value) const {
  Checker checker(*schema_);
  checker.check(*schema_, value, "");
  return std::move(checker.faults);
}

void JsonSchema::require(const json& value, std::string_view where, ErrorKind kind) const {
  const auto faults = check(value);
  if (faults.empty()) return;
  const auto& first = faults.front();
  const std::string more =
      faults.size() == 1 ? "" : fmt::format(" (and {} more faults)", faults.size() - 1);
  fail(kind, "{}: {}: {}{}", where, first.path.empty() ? "/" : first.path, first.message, more);
}

}  // namespace lra

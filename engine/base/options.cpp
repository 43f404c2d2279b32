#include "engine/base/options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace lra {
namespace {

using nlohmann::json;

// A number from a JSON number or a numeric string; empty otherwise.
template <class Number>
bool parse_number(const json& value, Number& result) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), result);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  }
  if constexpr (std::is_integral_v<Number>) {
    if (!value.is_number_integer()) return false;
    if (value.is_number_unsigned() && !std::in_range<Number>(value.get<std::uint64_t>())) {
      return false;
    }
  } else if (!value.is_number()) {
    return false;
  }
  result = value.get<Number>();
  return true;
}

template <class Number>
std::function<std::string(const json&)> ranged(Number& target, Number low, Number high,
                                               std::string expected) {
  return [&target, low, high, expected = std::move(expected)](const json& value) -> std::string {
    Number parsed{};
    if (!parse_number(value, parsed) || !(parsed >= low && parsed <= high)) return expected;
    target = parsed;
    return {};
  };
}

}  // namespace

OptionTable& OptionTable::add(Entry entry) {
  entries_.push_back(std::move(entry));
  return *this;
}

OptionTable& OptionTable::flag(std::string name, bool& value, std::string help) {
  auto set = [&value](const json& given) -> std::string {
    if (given.is_boolean()) {
      value = given.get<bool>();
    } else if (given == "true" || given == "1" || given == "on") {
      value = true;
    } else if (given == "false" || given == "0" || given == "off") {
      value = false;
    } else {
      return "true or false";
    }
    return {};
  };
  return add({std::move(name), "flag", "true or false", std::move(help), std::move(set),
              [&value] { return json(value); }});
}

OptionTable& OptionTable::integer(std::string name, std::int64_t& value, std::int64_t low,
                                  std::int64_t high, std::string help) {
  std::string range = fmt::format("an integer in [{}, {}]", low, high);
  auto set = ranged(value, low, high, range);
  return add({std::move(name), "integer", std::move(range), std::move(help), std::move(set),
              [&value] { return json(value); }});
}

OptionTable& OptionTable::number(std::string name, double& value, double low, double high,
                                 std::string help) {
  std::string range = fmt::format("a number in [{}, {}]", low, high);
  auto set = ranged(value, low, high, range);
  return add({std::move(name), "number", std::move(range), std::move(help), std::move(set),
              [&value] { return json(value); }});
}

OptionTable& OptionTable::choice(std::string name, std::string& value,
                                 std::vector<std::string> choices, std::string help) {
  return choice(
      std::move(name), std::move(choices), [&value](std::string_view text) { value = text; },
      [&value] { return std::string_view(value); }, std::move(help));
}

OptionTable& OptionTable::choice(std::string name, std::vector<std::string> choices,
                                 std::function<void(std::string_view)> set,
                                 std::function<std::string_view()> get, std::string help) {
  std::string range = fmt::format("one of {}", fmt::join(choices, ", "));
  auto checked = [set = std::move(set), choices, range](const json& given) -> std::string {
    if (!given.is_string() ||
        std::find(choices.begin(), choices.end(), given.get<std::string>()) == choices.end()) {
      return range;
    }
    set(given.get_ref<const std::string&>());
    return {};
  };
  return add({std::move(name), "choice", std::move(range), std::move(help), std::move(checked),
              [get = std::move(get)] { return json(get()); }, std::move(choices)});
}

OptionTable& OptionTable::text(std::string name, std::string& value, std::string help) {
  auto set = [&value](const json& given) -> std::string {
    if (given.is_number_integer()) {  // a column's number, for one
      value = given.dump();
      return {};
    }
    if (!given.is_string()) return "text";
    value = given.get<std::string>();
    return {};
  };
  return add({std::move(name), "text", "text", std::move(help), std::move(set),
              [&value] { return json(value); }});
}

void OptionTable::assign(const json& object, std::string_view where) {
  if (object.is_null()) return;
  if (!object.is_object()) {
    fail(ErrorKind::config, "{}: options must be an object; got {}", where,
         shortened(json_text(object)));
  }
  for (const auto& [name, value] : object.items()) {
    const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                    [&key = name](const Entry& e) { return e.name == key; });
    if (entry == entries_.end()) {
      fail(ErrorKind::config, "{}: {}", where, unknown_name_message("option", name, names()));
    }
    if (const std::string expected = entry->set(value); !expected.empty()) {
      fail(ErrorKind::config, "{}: option {}: got {}, expected {}", where, name,
           shortened(json_text(value)), expected);
    }
  }
}

json OptionTable::values() const {
  json result = json::object();
  for (const auto& entry : entries_) result[entry.name] = entry.get();
  return result;
}

json OptionTable::describe() const {
  json result = json::array();
  for (const auto& entry : entries_) {
    result.push_back({{"name", entry.name},
                      {"type", entry.type},
                      {"default", entry.get()},
                      {"range", entry.range},
                      {"help", entry.help}});
    if (!entry.choices.empty()) result.back()["choices"] = entry.choices;
  }
  return result;
}

std::vector<std::string> OptionTable::names() const {
  std::vector<std::string> result;
  result.reserve(entries_.size());
  for (const auto& entry : entries_) result.push_back(entry.name);
  return result;
}

}  // namespace lra

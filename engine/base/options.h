#pragma once
// Named options with defaults and ranges, bound to plain variables. An unknown name, a wrong type
// or a value out of range is Error(config) that names the option, its range and near matches.
//
//   struct Settings { double eps = 1e-6; Activation act = Activation::relu; };
//   t.number("eps", s.eps, 0, 1, "floor of the denominator").choice("act", s.act, "feature map");

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/enum_text.h"

namespace lra {

class OptionTable {
 public:
  OptionTable& flag(std::string name, bool& value, std::string help);
  OptionTable& integer(std::string name, std::int64_t& value, std::int64_t low, std::int64_t high,
                       std::string help);
  OptionTable& number(std::string name, double& value, double low, double high, std::string help);
  OptionTable& choice(std::string name, std::string& value, std::vector<std::string> choices,
                      std::string help);

  // A choice among the texts of an enumeration (enum_text.h).
  template <class E>
  OptionTable& choice(std::string name, E& value, std::string help) {
    return choice(
        std::move(name), words_of<E>(),
        [&value](std::string_view text) { value = *enum_of<E>(text); },
        [&value] { return name_of(value); }, std::move(help));
  }

  // Any text: a name, a path, a list. The owner of the variable checks it.
  OptionTable& text(std::string name, std::string& value, std::string help);

  // Sets the bound variables from the members of a JSON object; numbers may come as strings (from a
  // command line). `where` starts the message of an error, e.g. "attention/cosformer".
  void assign(const nlohmann::json& object, std::string_view where);
  // The current values as a JSON object; with defaults filled in, it identifies a run.
  [[nodiscard]] nlohmann::json values() const;
  // [{name, type, default, range, help}], for `lra list --json` and help texts; a choice has its
  // `choices` too.
  [[nodiscard]] nlohmann::json describe() const;
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  struct Entry {
    std::string name, type, range, help;
    std::function<std::string(const nlohmann::json&)> set;  // empty, or what was expected
    std::function<nlohmann::json()> get;
    std::vector<std::string> choices = {};
  };
  // `set` gets one of the choices.
  OptionTable& choice(std::string name, std::vector<std::string> choices,
                      std::function<void(std::string_view)> set,
                      std::function<std::string_view()> get, std::string help);
  OptionTable& add(Entry entry);
  std::vector<Entry> entries_;
};

// The options of a configuration, task or variant; they refer to its variables.
template <class Holder>
[[nodiscard]] OptionTable table_of(Holder& holder) {
  OptionTable table;
  holder.options(table);
  return table;
}

}  // namespace lra

#pragma once
// A name -> entry table that files fill before main() by static objects.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/error.h"

namespace lra {

template <class Entry>
class Registry {
 public:
  explicit Registry(std::string kind) : kind_(std::move(kind)) {}

  // Adds an entry under a name and, if given, aliases. Duplicate names are kept and reported at the
  // first look-up, because throwing during static initialisation would terminate the program.
  bool add(const std::string& name, Entry entry, const std::vector<std::string>& aliases = {}) {
    if (aliases_.count(name) != 0 || !entries_.emplace(name, std::move(entry)).second) {
      return refuse("'" + name + "'");
    }
    for (const auto& alias : aliases) {
      if (entries_.count(alias) != 0 || !aliases_.emplace(alias, name).second) {
        return refuse("alias '" + alias + "'");
      }
    }
    return true;
  }

  // Throws Error(config) if a name was registered twice, as do all functions below.
  void check() const {
    if (!problem_.empty()) throw Error(ErrorKind::config, problem_);
  }

  // The entry with this name or alias; nullptr if there is none.
  [[nodiscard]] const Entry* find(std::string_view name) const {
    check();
    const auto alias = aliases_.find(name);
    const auto entry = entries_.find(alias == aliases_.end() ? name : alias->second);
    return entry == entries_.end() ? nullptr : &entry->second;
  }

  // The entry with this name or alias. Throws Error(usage) that lists near matches.
  [[nodiscard]] const Entry& at(std::string_view name) const {
    if (const Entry* entry = find(name)) return *entry;
    throw Error(ErrorKind::usage, unknown_name_message(kind_, name, names()));
  }

  // The registered name behind a name or an alias. Throws as at().
  [[nodiscard]] std::string canonical(std::string_view name) const {
    static_cast<void>(at(name));
    const auto alias = aliases_.find(name);
    return alias == aliases_.end() ? std::string(name) : alias->second;
  }

  // Registered names in alphabetical order, without aliases.
  [[nodiscard]] std::vector<std::string> names() const {
    check();
    std::vector<std::string> result;
    result.reserve(entries_.size());
    for (const auto& [name, entry] : entries_) result.push_back(name);
    return result;
  }

 private:
  bool refuse(const std::string& what) {
    if (problem_.empty()) problem_ = "registry: " + kind_ + " " + what + " is registered twice";
    return false;
  }

  std::string kind_;
  std::string problem_;
  std::map<std::string, Entry, std::less<>> entries_;
  std::map<std::string, std::string, std::less<>> aliases_;
};

}  // namespace lra

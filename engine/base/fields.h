#pragma once
// One list of fields serves writing and reading: `describe(visitor, record)`, found beside the
// record's type, names each field once; FieldWriter makes JSON of it, FieldReader fills it from
// JSON. describe() takes a mutable reference so that one list serves both; a writer changes
// nothing. Not installed.
//
//   template <class Visitor>
//   void describe(Visitor& v, Point& point) {
//     v("n", point.n);
//     v("loss", point.loss);
//   }
//   json j = to_fields(point);
//   from_fields(j, point, "point.json");
//
// A field may be a number, a text, JSON itself, an enumeration with texts (enum_text.h), a
// structure with its own field list, or optionals, vectors and arrays of these. An empty optional
// is null.

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/base/enum_text.h"
#include "engine/base/error.h"

namespace lra {

template <class Visitor, class T>
concept HasFields = requires(Visitor& visitor, T& value) {
  describe(visitor, value);
};

class FieldWriter {
 public:
  nlohmann::json result = nlohmann::json::object();

  // A constant, e.g. the schema's name.
  void constant(const char* name, nlohmann::json value) { (*node_)[name] = std::move(value); }

  template <class T>
  void operator()(const char* name, const T& value) {
    (*node_)[name] = encode(name, value);
  }

  template <class Body>
  void object(const char* name, Body body) {
    nlohmann::json* parent = node_;
    const std::size_t length = path_.size();
    path_.append("/").append(name);
    node_ = &((*parent)[name] = nlohmann::json::object());
    body();
    node_ = parent;
    path_.resize(length);
  }

  // Whether an optional field is present; for the writer, the caller decides.
  [[nodiscard]] static bool has(const char*, bool present) { return present; }

  // An optional field.
  template <class T>
  void part(const char* name, const T& value, bool present) {
    if (present) (*this)(name, value);
  }

  // A value or one word, e.g. "unavailable".
  template <class T>
  void value_or_word(const char* name, const std::optional<T>& value, const char* word) {
    if (value) {
      (*this)(name, *value);
    } else {
      (*node_)[name] = word;
    }
  }

  // A field with a custom form: JSON from `get`; `set` takes the JSON and its position, for
  // messages.
  template <class Get, class Set>
  void converted(const char* name, Get get, const Set&) {
    (*node_)[name] = get();
  }

 private:
  template <class T>
  nlohmann::json encode(const char* name, const std::optional<T>& value) {
    return value ? encode(name, *value) : nlohmann::json(nullptr);
  }
  nlohmann::json encode(const char* name, double value) {
    if (!std::isfinite(value)) {
      fail(ErrorKind::numeric, "{}/{}: got {}, expected a finite number or none", path_, name,
           value);
    }
    return value;
  }
  template <class T>
  requires HasFields<FieldWriter, T> nlohmann::json encode(const char* name,
                                                           const std::vector<T>& items) {
    auto out = nlohmann::json::array();
    for (const T& item : items) out.push_back(encode(name, item));
    return out;
  }
  template <class T>
  nlohmann::json encode(const char* name, const T& value) {
    if constexpr (HasFields<FieldWriter, T>) {
      FieldWriter inner;
      inner.path_ = path_ + "/" + name;
      describe(inner, const_cast<T&>(value));
      return std::move(inner.result);
    } else if constexpr (std::is_enum_v<T>) {
      return name_of(value);
    } else {
      return value;
    }
  }

  nlohmann::json* node_ = &result;
  std::string path_;
};

class FieldReader {
 public:
  // `where` starts the messages of fields with a custom form.
  explicit FieldReader(const nlohmann::json& value, std::string where = "")
      : node_(&value), where_(std::move(where)) {}

  void constant(const char*, const nlohmann::json&) {}

  template <class T>
  void operator()(const char* name, T& value) {
    decode(node_->at(name), value);
  }

  template <class Body>
  void object(const char* name, Body body) {
    const nlohmann::json* parent = node_;
    node_ = &parent->at(name);
    body();
    node_ = parent;
  }

  [[nodiscard]] bool has(const char* name, bool) const { return node_->contains(name); }

  template <class T>
  void part(const char* name, T& value, bool) {
    if (node_->contains(name)) (*this)(name, value);
  }

  template <class T>
  void value_or_word(const char* name, std::optional<T>& value, const char*) {
    value.reset();
    if (node_->at(name).is_number()) (*this)(name, value.emplace());
  }

  template <class Get, class Set>
  void converted(const char* name, const Get&, Set set) {
    set(node_->at(name), where_ + ": " + name);
  }

 private:
  template <class T>
  static void decode(const nlohmann::json& field, std::optional<T>& value) {
    value.reset();
    if (!field.is_null()) decode(field, value.emplace());
  }
  template <class T>
  requires HasFields<FieldReader, T>
  static void decode(const nlohmann::json& field, std::vector<T>& items) {
    items.clear();
    for (const auto& element : field) decode(element, items.emplace_back());
  }
  template <class T>
  static void decode(const nlohmann::json& field, T& value) {
    if constexpr (HasFields<FieldReader, T>) {
      FieldReader inner(field);
      describe(inner, value);
    } else if constexpr (std::is_enum_v<T>) {
      const auto& text = field.get_ref<const std::string&>();
      const auto found = enum_of<T>(text);
      if (!found) fail(ErrorKind::data, "unknown value \"{}\"", text);
      value = *found;
    } else if constexpr (std::is_same_v<T, nlohmann::json>) {
      value = field;
    } else {
      field.get_to(value);
    }
  }

  const nlohmann::json* node_;
  std::string where_;
};

// JSON of a structure. Throws Error(numeric) for a number that is not finite.
template <class T>
[[nodiscard]] nlohmann::json to_fields(const T& value) {
  FieldWriter writer;
  describe(writer, const_cast<T&>(value));
  return std::move(writer.result);
}

// Fills a structure; missing optional fields keep their values. Throws nlohmann::json::exception
// for malformed JSON, and the exceptions of the conversions of single fields.
template <class T>
void from_fields(const nlohmann::json& json, T& value, const std::string& where = "") {
  FieldReader reader(json, where);
  describe(reader, value);
}

}  // namespace lra

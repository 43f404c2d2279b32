#pragma once
// One list of fields serves writing and reading: `describe(visitor, record)` names each field once,
// FieldWriter makes JSON of it, FieldReader fills it from JSON that a schema has already accepted.
// describe() takes a mutable reference so that one list serves both; a writer changes nothing.
// Internal to results/.

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/base/error.h"
#include "results/record/record.h"

namespace lra::results {

class FieldWriter {
 public:
  nlohmann::json result = nlohmann::json::object();

  // A constant, e.g. the schema's name.
  void constant(const char* name, std::string_view value) { (*node_)[name] = value; }

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

  template <class T>
  void list(const char* name, const std::vector<T>& items) {
    auto out = nlohmann::json::array();
    for (const T& item : items) {
      FieldWriter inner;
      inner.path_ = path_ + "/" + name;
      describe(inner, const_cast<T&>(item));
      out.push_back(std::move(inner.result));
    }
    (*node_)[name] = std::move(out);
  }

  // A structure that a file may lack.
  template <class T>
  void part(const char* name, const T& value, bool present) {
    if (present) (*this)(name, value);
  }

  // A value or one word, e.g. "unavailable".
  void value_or_word(const char* name, const Real& value, const char* word) {
    if (value) {
      (*this)(name, *value);
    } else {
      (*node_)[name] = word;
    }
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
  nlohmann::json encode(const char*, std::int64_t value) { return value; }
  nlohmann::json encode(const char*, bool value) { return value; }
  nlohmann::json encode(const char*, const std::string& value) { return value; }
  nlohmann::json encode(const char*, const std::vector<std::string>& value) { return value; }
  nlohmann::json encode(const char*, const JsonText& value) {
    return nlohmann::json::parse(value.text);
  }
  template <class E>
  requires std::is_enum_v<E> nlohmann::json encode(const char*, const E& value) {
    return name_of(value);
  }
  template <class T>
  nlohmann::json encode(const char* name, const T& value) {  // a structure of fields
    FieldWriter inner;
    inner.path_ = path_ + "/" + name;
    describe(inner, const_cast<T&>(value));
    return std::move(inner.result);
  }

  nlohmann::json* node_ = &result;
  std::string path_;
};

class FieldReader {
 public:
  explicit FieldReader(const nlohmann::json& value) : node_(&value) {}

  void constant(const char*, std::string_view) {}

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

  template <class T>
  void list(const char* name, std::vector<T>& items) {
    items.clear();
    for (const auto& element : node_->at(name)) decode(element, items.emplace_back());
  }

  template <class T>
  void part(const char* name, T& value, bool) {
    if (node_->contains(name)) (*this)(name, value);
  }

  void value_or_word(const char* name, Real& value, const char*) {
    const auto& field = node_->at(name);
    value = field.is_number() ? Real(field.get<double>()) : Real();
  }

 private:
  template <class T>
  static void decode(const nlohmann::json& field, std::optional<T>& value) {
    value.reset();
    if (!field.is_null()) decode(field, value.emplace());
  }
  static void decode(const nlohmann::json& field, double& value) { field.get_to(value); }
  static void decode(const nlohmann::json& field, std::int64_t& value) { field.get_to(value); }
  static void decode(const nlohmann::json& field, bool& value) { field.get_to(value); }
  static void decode(const nlohmann::json& field, std::string& value) { field.get_to(value); }
  static void decode(const nlohmann::json& field, std::vector<std::string>& value) {
    field.get_to(value);
  }
  static void decode(const nlohmann::json& field, JsonText& value) { value.text = field.dump(); }
  template <class E>
  requires std::is_enum_v<E>
  static void decode(const nlohmann::json& field, E& value) {
    value = *enum_of<E>(field.get_ref<const std::string&>());
  }
  template <class T>
  static void decode(const nlohmann::json& field, T& value) {  // a structure of fields
    FieldReader inner(field);
    describe(inner, value);
  }

  const nlohmann::json* node_;
};

// Shared by result.json and bench.json.
template <class Visitor>
void describe(Visitor& v, AttentionPart& attention) {
  v("name", attention.name);
  v("label", attention.label);
  v("options", attention.options);
  v.part("changed", attention.changed, !attention.changed.empty());
}

template <class Visitor>
void describe(Visitor& v, Environment& environment) {
  v("cpu", environment.cpu);
  v("isa", environment.isa);
  v("cores", environment.cores);
  v("threads", environment.threads);
  v("lanes", environment.lanes);
  v("onednn", environment.onednn);
  v("tbb", environment.tbb);
  v("compiler", environment.compiler);
  v("version", environment.version);
  v("commit", environment.commit);
  v("dirty", environment.dirty);
  v.part("node", environment.node, !environment.node.empty());
}

}  // namespace lra::results

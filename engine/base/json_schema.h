#pragma once
// Checks JSON against a JSON Schema (draft-07), for the subset of keywords that the project's own
// schemas use: type, const, enum, properties, required, additionalProperties, items, minItems,
// maxItems, minimum, maximum, exclusiveMinimum, exclusiveMaximum, minLength, maxLength, pattern,
// anyOf, $ref into #/definitions, and the annotations ($schema, $id, title, description, default,
// definitions). A pattern is a POSIX extended regular expression; the project's patterns use only
// syntax that ECMAScript shares. An integer is one of 64 bits. Not installed. Source:
// https://json-schema.org/draft-07/json-schema-validation

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace lra {

struct SchemaFault {
  std::string path;     // JSON pointer of the faulty value, "" for the whole document
  std::string message;  // "what; got X, expected Y"
};

class JsonSchema {
 public:
  // Throws Error(config) if the schema uses a keyword outside the subset or an unresolved $ref: an
  // unknown rule must not count as satisfied.
  explicit JsonSchema(const nlohmann::json& schema);
  JsonSchema(std::string_view text, const std::string& where);
  JsonSchema(const JsonSchema&) = delete;
  JsonSchema& operator=(const JsonSchema&) = delete;
  ~JsonSchema();

  // All faults, in document order; empty if the value conforms.
  [[nodiscard]] std::vector<SchemaFault> check(const nlohmann::json& value) const;
  // Throws an Error "where: /path: what; got X, expected Y", with the number of further faults, of
  // the given kind: data for what was read, config for what the program would write.
  void require(const nlohmann::json& value, std::string_view where,
               ErrorKind kind = ErrorKind::data) const;

 private:
  std::unique_ptr<const nlohmann::json> schema_;
};

}  // namespace lra

#include "engine/base/json_schema.h"

#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/error.h"
#include "tests/catch.h"

using lra::JsonSchema;
using lra::testing::ContainsSubstring;
using nlohmann::json;

namespace {

const char* const kSchema = R"({
  "type": "object", "required": ["name"], "additionalProperties": false,
  "properties": {
    "name": {"type": "string", "minLength": 2, "pattern": "^[a-z/]+$"},
    "size": {"type": ["integer", "null"], "minimum": 1, "exclusiveMaximum": 10},
    "share": {"$ref": "#/definitions/share"},
    "kind": {"enum": ["a", "b"]},
    "list": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"$ref": "#/definitions/share"}},
    "either": {"anyOf": [{"type": "number"}, {"const": "unavailable"}]},
    "free": {"type": "object", "additionalProperties": {"type": "integer"}}
  },
  "definitions": {"share": {"type": "number", "minimum": 0, "maximum": 1}}
})";

std::string first_fault(const char* value) {
  const JsonSchema schema(kSchema, "test");
  const auto faults = schema.check(json::parse(value));
  return faults.empty() ? "" : faults.front().path + ": " + faults.front().message;
}

}  // namespace

TEST_CASE("json schema: conforming values pass", "[unit]") {
  CHECK(first_fault(R"({"name": "ab"})").empty());
  CHECK(first_fault(R"({"name": "ab", "size": 9, "share": 0, "kind": "b", "list": [1, 0.5],
                        "either": "unavailable", "free": {"x": 1}})")
            .empty());
  CHECK(first_fault(R"({"name": "ab", "size": null, "either": 2.5})").empty());
  CHECK(first_fault(R"({"name": "ab", "size": 3.0})").empty());
}

TEST_CASE("json schema: each rule names the path and what was expected", "[unit]") {
  CHECK(first_fault("[]") == ": wrong type; got [], expected object");
  CHECK(first_fault("{}") == "/name: is missing");
  CHECK(first_fault(R"({"name": "a"})") == "/name: got 1 characters, expected at least 2");
  CHECK(first_fault(R"({"name": "AB"})") == "/name: got \"AB\", expected the pattern ^[a-z/]+$");
  CHECK(first_fault(R"({"name": "ab", "size": 0})") ==
        "/size: out of range; got 0, expected at least 1");
  CHECK(first_fault(R"({"name": "ab", "size": 10})") ==
        "/size: out of range; got 10, expected less than 10");
  CHECK(first_fault(R"({"name": "ab", "size": 1.5})") ==
        "/size: wrong type; got 1.5, expected integer or null");
  CHECK(first_fault(R"({"name": "ab", "share": 2})") ==
        "/share: out of range; got 2, expected at most 1");
  CHECK(first_fault(R"({"name": "ab", "kind": "c"})") ==
        "/kind: got \"c\", expected one of \"a\", \"b\"");
  CHECK(first_fault(R"({"name": "ab", "list": [0, -1]})") ==
        "/list/1: out of range; got -1, expected at least 0");
  CHECK(first_fault(R"({"name": "ab", "list": []})") == "/list: got 0 items, expected at least 1");
  CHECK(first_fault(R"({"name": "ab", "list": [0, 0, 0]})") ==
        "/list: got 3 items, expected at most 2");
  CHECK(
      first_fault(R"({"name": "ab", "either": "x"})") ==
      "/either: fits no alternative (wrong type; got \"x\", expected number | got \"x\", expected "
      "\"unavailable\")");
  CHECK(first_fault(R"({"name": "ab", "free": {"a/b": "x"}})") ==
        "/free/a~1b: wrong type; got \"x\", expected integer");
}

TEST_CASE("json schema: a foreign field is named with near matches", "[unit]") {
  CHECK_THAT(first_fault(R"({"name": "ab", "sise": 3})"),
             ContainsSubstring("/sise: unknown field 'sise'; did you mean size, list?"));
  const JsonSchema schema(kSchema, "test");
  CHECK_THROWS_WITH(
      schema.require(json::parse(R"({"name": "a", "size": 0})"), "file.json"),
      ContainsSubstring("file.json: /name: got 1 characters") && ContainsSubstring("(and 1 more"));
}

TEST_CASE("json schema: rules outside the subset are refused, not passed over", "[unit]") {
  CHECK_THROWS_WITH(JsonSchema(R"({"properties": {"a": {"multipleOf": 2}}})", "test"),
                    ContainsSubstring("#/properties/a/multipleOf: keyword outside"));
  CHECK_THROWS_WITH(JsonSchema(R"({"$ref": "#/definitions/none"})", "test"),
                    ContainsSubstring("unresolved $ref '#/definitions/none'"));
  CHECK_THROWS_AS(JsonSchema("{", "test"), lra::Error);
}

TEST_CASE("json schema: long texts, large integers and patterns", "[unit]") {
  const lra::JsonSchema schema(
      R"({"type": "object", "properties": {
            "name": {"type": "string", "maxLength": 100, "pattern": "^[a-z]+$"},
            "text": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$"},
            "seed": {"type": "integer", "minimum": 0}}})",
      "schema");
  const auto fault = [&schema](const json& value) {
    const auto faults = schema.check(value);
    return faults.empty() ? std::string() : faults.front().path + ": " + faults.front().message;
  };
  CHECK(fault({{"name", std::string(100, 'a')}}).empty());
  CHECK_THAT(fault({{"name", std::string(100000, 'a')}}),
             ContainsSubstring("/name: got 100000 characters, expected at most 100"));
  CHECK(fault({{"text", std::string(1000000, 'a')}}).empty());  // std::regex overflows the stack
  CHECK_THAT(fault({{"text", std::string(1000000, 'a') + "!"}}), ContainsSubstring("pattern"));
  CHECK_THAT(fault({{"name", std::string("abc\0!", 5)}}), ContainsSubstring("pattern"));
  CHECK(fault({{"seed", std::int64_t{1} << 62}}).empty());
  for (const char* large :
       {"18446744073709551615", "9223372036854775808", "99999999999999999999", "1e19", "1e300"}) {
    CHECK_THAT(fault(json::parse(fmt::format("{{\"seed\": {}}}", large))),
               ContainsSubstring("/seed: wrong type"));
  }
  CHECK(fault(json::parse("{\"seed\": 2.0}")).empty());
}

#include "harness/run/spec.h"

#include <nlohmann/json.hpp>

#include "tests/catch.h"

namespace lra::harness {
namespace {

using nlohmann::json;

TEST_CASE("spec: an option that came later changes no identity while it is at its default",
          "[unit]") {
  Request request;
  request.task = "listops";
  request.attention = "softmax";
  const RunSpec now = resolve(request);
  json earlier = to_json(now);
  for (const char* name : {"rotary_base", "rotary_pairs", "attention_gate"}) {
    REQUIRE(earlier["model"].erase(name) == 1);
  }
  for (const char* name : {"lr_floor", "patience"}) REQUIRE(earlier["train"].erase(name) == 1);
  for (const char* name : {"logit_scale", "n0"}) {
    REQUIRE(earlier["attention_options"].erase(name) == 1);
  }
  CHECK(spec_digest(spec_from_json(earlier, "earlier")) == spec_digest(now));
  const json changes{{"attention_gate", "head"}, {"rotary_base", 100}};
  for (const auto& [name, value] : changes.items()) {
    json other = to_json(now);
    other["model"][name] = value;
    CHECK(spec_digest(spec_from_json(other, "other")) != spec_digest(now));
  }
}

}  // namespace
}  // namespace lra::harness

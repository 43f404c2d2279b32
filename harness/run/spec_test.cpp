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

TEST_CASE("spec: lanes by batch and length, and eight of the same identity as when all had eight",
          "[unit]") {
  const auto spec_of = [](std::vector<std::string> settings) {
    Request request;
    request.task = "image";  // 1,024 tokens
    request.settings = std::move(settings);
    return resolve(request);
  };
  CHECK(lanes_of(spec_of({"train.batch_size=32"})) == 32);
  CHECK(lanes_of(spec_of({"train.batch_size=32", "lanes=12"})) == 12);
  const RunSpec small = spec_of({"train.batch_size=8"});
  CHECK(small.lanes == 0);
  CHECK(lanes_of(small) == 8);
  json earlier = to_json(spec_of({"train.batch_size=32"}));
  earlier["lanes"] = 0;
  CHECK(spec_digest(spec_from_json(earlier, "earlier")) ==
        spec_digest(spec_of({"train.batch_size=32", "lanes=8"})));
  CHECK(spec_digest(spec_from_json(earlier, "earlier")) !=
        spec_digest(spec_of({"train.batch_size=32"})));
}

}  // namespace
}  // namespace lra::harness

#include "harness/run/data.h"

#include <nlohmann/json.hpp>

#include "tests/catch.h"

namespace lra::harness {
namespace {

TEST_CASE("data used: a place is kept and read back whatever its bytes", "[unit]") {
  for (const std::string place : {"", "/a/b c", "/caf\xc3\xa9/50%", "/odd \xff/%41\n", "/\xc3"}) {
    DataUsed used;
    used.place = place;
    const std::string kept = to_json(used).dump();
    CHECK(data_used_from_json(nlohmann::json::parse(kept), "f").place == place);
  }
  DataUsed used;
  used.place = "/caf\xc3\xa9/50%";
  CHECK(to_json(used).at("place") == used.place);
  used.place = "/odd \xff%";
  nlohmann::json kept = to_json(used);
  CHECK(kept.at("place") == "file:///odd%20%FF%25");
  CHECK(describe(used).ends_with("from /odd \\xff%"));
  kept["place"] = "file:///a%zz%4";
  CHECK(data_used_from_json(kept, "f").place == "/a%zz%4");
}

}  // namespace
}  // namespace lra::harness

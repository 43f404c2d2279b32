#include "engine/base/fields.h"

#include <array>
#include <cstdint>
#include <limits>

#include "tests/catch.h"

using lra::Error;
using lra::from_fields;
using lra::to_fields;
using lra::testing::ContainsSubstring;
using nlohmann::json;

namespace shapes {

enum class Colour { red, green };
constexpr auto texts(Colour) { return lra::enum_texts("red", "green"); }

struct Point {
  double x = 0;
  std::int64_t y = 0;
  bool operator==(const Point&) const = default;
};
template <class V>
void describe(V& v, Point& point) {
  v("x", point.x);
  v("y", point.y);
}

struct Shape {
  std::string name;
  Colour colour = Colour::red;
  std::array<std::int64_t, 2> size{};
  std::optional<double> weight;
  std::vector<Point> corners;
  std::vector<float> times;
  json free = json::object();
  std::int64_t inner = 0;
  std::string note;  // left out where it is empty
  int word = 0;      // "many" or a number
  std::optional<double> energy;
  bool operator==(const Shape&) const = default;
};
template <class V>
void describe(V& v, Shape& shape) {
  v.constant("schema", "shape/1");
  v("name", shape.name);
  v("colour", shape.colour);
  v("size", shape.size);
  v("weight", shape.weight);
  v("corners", shape.corners);
  v("times", shape.times);
  v("free", shape.free);
  v.object("group", [&] { v("inner", shape.inner); });
  v.part("note", shape.note, !shape.note.empty());
  v.value_or_word("energy", shape.energy, "unavailable");
  v.converted(
      "word", [&] { return shape.word < 0 ? json("many") : json(shape.word); },
      [&](const json& word, const std::string& where) {
        if (word == "few") fail(lra::ErrorKind::data, "{}: got few", where);
        shape.word = word == "many" ? -1 : word.get<int>();
      });
}

}  // namespace shapes

namespace {

shapes::Shape example() {
  return {
      "a", shapes::Colour::green, {3, 4}, 0.5, {{1.5, 2}, {2.5, 3}}, {1.0F}, {{"k", 1}}, 7, "n", -1,
      1.5};
}

}  // namespace

TEST_CASE("fields: one list writes and reads every kind of field", "[unit]") {
  const json expected = {
      {"schema", "shape/1"},     {"name", "a"},
      {"colour", "green"},       {"size", {3, 4}},
      {"weight", 0.5},           {"corners", {{{"x", 1.5}, {"y", 2}}, {{"x", 2.5}, {"y", 3}}}},
      {"times", {1.0}},          {"free", {{"k", 1}}},
      {"group", {{"inner", 7}}}, {"note", "n"},
      {"word", "many"},          {"energy", 1.5}};
  CHECK(to_fields(example()) == expected);
  shapes::Shape read;
  from_fields(expected, read);
  CHECK(read == example());

  // What may be missing: an optional is null, a part is left out.
  const json empty = to_fields(shapes::Shape());
  CHECK(empty.at("weight").is_null());
  CHECK(empty.at("energy") == "unavailable");
  CHECK_FALSE(empty.contains("note"));
  from_fields(empty, read);
  CHECK_FALSE(read.weight);
  CHECK_FALSE(read.energy);
  CHECK(read.note == "n");  // kept
}

TEST_CASE("fields: what does not fit is refused", "[unit]") {
  shapes::Shape shape = example();
  shape.corners[1].x = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(to_fields(shape), ContainsSubstring("/corners/x: got nan"));
  shape = example();
  shape.energy = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(to_fields(shape), ContainsSubstring("/energy: got inf"));

  const json good = to_fields(example());
  shapes::Shape read;
  json bad = good;
  bad.erase("name");
  CHECK_THROWS_AS(from_fields(bad, read), json::exception);
  bad = good;
  bad["corners"][0]["y"] = "two";
  CHECK_THROWS_AS(from_fields(bad, read), json::exception);
  bad = good;
  bad["colour"] = "blue";
  CHECK_THROWS_WITH(from_fields(bad, read), ContainsSubstring("unknown value \"blue\""));
  bad = good;
  bad["word"] = "few";
  CHECK_THROWS_WITH(from_fields(bad, read, "f.json"), ContainsSubstring("f.json: word: got few"));
}

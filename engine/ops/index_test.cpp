#include "engine/ops/index.h"

#include <fmt/format.h>

#include "engine/base/error.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

using lra::testing::ContainsSubstring;

using Ids = std::vector<std::int32_t>;

Tensor index_of(const Ids& ids) {
  return Tensor::from_indices({static_cast<std::int64_t>(ids.size())}, ids);
}

void add_embedding(const std::string& what, std::int64_t V, std::int64_t E, const Ids& ids,
                   std::int64_t rows, bool with_positions, DType dtype) {
  OpCase c;
  const auto n = static_cast<std::int64_t>(ids.size());
  c.inputs = {{.name = "table", .shape = {V, E}, .wide = true}};
  if (with_positions) {
    c.inputs.push_back({.name = "positions", .shape = {n + 2, E}, .wide = true});
  }
  c.op = [=](const std::vector<Value>& in) {
    return embedding(in[0], with_positions ? in[1] : Value(), ids, rows, dtype);
  };
  c.definition = [=](const std::vector<Array>& in) {
    Array y(Shape{rows, E});
    for_each_index(y.shape, [&](const Index& i) {
      if (i[0] >= n) return;
      y.at(i) = in[0].at({ids[static_cast<std::size_t>(i[0])], i[1]});
      if (with_positions) y.at(i) += in[1].at(i);
    });
    return y;
  };
  if (dtype == DType::bf16) c.f32.output = 5e-3;  // one rounding
  c.bf16 = {0, 0};                                // the tables are always f32
  op_cases().add(fmt::format("embedding: {}, {}{}", what, dtype_name(dtype),
                             with_positions ? ", positions" : ""),
                 c);
}

void add_rows(const std::string& what, const Shape& shape, const Ids& gathered,
              const Ids& scattered) {
  OpCase c;
  c.inputs = {{"x", shape}};
  c.op = [=](const std::vector<Value>& in) { return gather_rows(in[0], index_of(gathered)); };
  c.definition = [=](const std::vector<Array>& in) {
    Array y(Shape{static_cast<std::int64_t>(gathered.size()), shape[1]});
    for_each_index(y.shape, [&](const Index& i) {
      const std::int32_t from = gathered[static_cast<std::size_t>(i[0])];
      if (from >= 0) y.at(i) = in[0].at({from, i[1]});
    });
    return y;
  };
  c.f32.output = 0;
  op_cases().add("gather_rows: " + what, c);
  const std::int64_t rows = 6;
  c.op = [=](const std::vector<Value>& in) {
    return scatter_add_rows(in[0], index_of(scattered), rows);
  };
  c.definition = [=](const std::vector<Array>& in) {
    Array y(Shape{rows, shape[1]});
    for_each_index(in[0].shape, [&](const Index& i) {
      const std::int32_t to = scattered[static_cast<std::size_t>(i[0])];
      if (to >= 0) y.at({to, i[1]}) += in[0].at(i);
    });
    return y;
  };
  c.f32.output = 1e-6;
  op_cases().add("scatter_add_rows: " + what, c);
}

bool register_all() {
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const bool positions : {false, true}) {
      add_embedding("repeated ids", 5, 3, {4, 0, 4, 4, 2, 1, 2}, 7, positions, dtype);
      add_embedding("padded rows", 5, 19, {3, 1}, 6, positions, dtype);
      add_embedding("one id", 1, 1, {0}, 1, positions, dtype);
      add_embedding("no ids", 5, 3, {}, 4, positions, dtype);
    }
  }
  add_rows("a permutation", {5, 3}, {4, 2, 0, 1, 3}, {4, 2, 0, 1, 3});
  add_rows("repeats", {4, 7}, {3, 3, 1, 3, 1, 1, 0}, {2, 5, 2, 2});
  add_rows("absent rows", {4, 3}, {-1, 2, -1, 0, 2}, {-1, 0, 5, -1});
  add_rows("one row", {1, 19}, {0, 0}, {3});
  add_rows("none", {0, 3}, {-1, -1}, {});
  add_rows("no columns", {2, 0}, {0, 1, 1}, {1, 0});
  return true;
}
const bool kRegistered = register_all();

Value value(const Shape& shape, DType dtype = DType::f32) {
  return Value(uniform(shape, 1, -1, 1, dtype));
}

}  // namespace

TEST_CASE("embedding: table and positions that are one value get both sums", "[unit]") {
  const Tensor table = uniform({4, 3}, 1, -1, 1);
  const Ids ids{1, 3};
  const Tensor upstream = Tensor::from({2, 3}, std::vector<float>{1, 2, 3, 10, 20, 30});
  Tape tape;
  const Value x = tape.leaf(table);
  tape.backward(embedding(x, x, ids, 2, DType::f32), upstream);
  CHECK(x.gradient()->value().to_floats() ==
        std::vector<float>{1, 2, 3, 11, 22, 33, 0, 0, 0, 10, 20, 30});
}

TEST_CASE("embedding: ids, positions and tables that do not fit are shape errors", "[unit]") {
  const Value table = value({5, 3});
  const auto look_up = [&](const Value& t, const Value& p, const Ids& ids, std::int64_t rows) {
    return embedding(t, p, ids, rows, DType::f32);
  };
  CHECK_THROWS_WITH(look_up(table, Value(), {0, 5}, 2), ContainsSubstring("5"));
  CHECK_THROWS_AS(look_up(table, Value(), {0, -1}, 2), Error);
  CHECK_THROWS_AS(look_up(table, Value(), {0, 1, 2}, 2), Error);
  CHECK_THROWS_AS(look_up(table, value({1, 3}), {0, 1}, 2), Error);
  CHECK_THROWS_AS(look_up(table, value({2, 4}), {0, 1}, 2), Error);
  CHECK_THROWS_AS(look_up(value({5, 3}, DType::bf16), Value(), {0}, 1), Error);
  CHECK_THROWS_AS(look_up(table, value({2, 3}, DType::bf16), {0}, 1), Error);
  CHECK_THROWS_AS(look_up(value({5}), Value(), {0}, 1), Error);
}

TEST_CASE("rows by index: operands that do not fit are shape errors", "[unit]") {
  const Value x = value({4, 3});
  CHECK_THROWS_AS(gather_rows(x, index_of({0, 4})), Error);
  CHECK_THROWS_AS(gather_rows(x, uniform({2}, 1, 0, 1)), Error);
  CHECK_THROWS_AS(gather_rows(value({4, 3, 2}), index_of({0})), Error);
  CHECK_THROWS_AS(scatter_add_rows(x, index_of({0, 1, 2, 6}), 6), Error);
  CHECK_THROWS_AS(scatter_add_rows(x, index_of({0, 1, 2}), 6), Error);
  CHECK_THROWS_AS(scatter_add_rows(x, index_of({0, 1, 2, 3, 4}), 6), Error);
  CHECK_THROWS_AS(scatter_add_rows(value({4, 3, 2}), index_of({0, 1, 2, 3}), 6), Error);
}

}  // namespace lra::engine::testing

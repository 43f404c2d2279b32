#include "engine/ops/shape.h"

#include <algorithm>
#include <utility>

#include "engine/base/error.h"
#include "engine/ops/arithmetic.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

// y of a shape with y[index] = x[from(index)], or 0 where `from` gives an empty index.
Definition moving(const Shape& to, const std::function<Index(const Index&)>& from) {
  return [=](const std::vector<Array>& in) {
    Array y(to);
    for_each_index(to, [&](const Index& index) {
      const Index source = from(index);
      if (!source.empty()) y.at(index) = in[0].at(source);
    });
    return y;
  };
}
Definition reshaping(const Shape& to) {
  return [to](const std::vector<Array>& in) {
    Array y(to);
    y.values = in[0].values;
    return y;
  };
}

// Values are moved, none is computed: results are exact, also in bf16.
void add(const std::string& name, const Shape& shape, const std::function<Value(const Value&)>& op,
         Definition definition) {
  OpCase c;
  c.inputs = {{"x", shape}};
  c.op = [op](const std::vector<Value>& in) { return op(in[0]); };
  c.definition = std::move(definition);
  c.f32.output = 0;
  c.bf16.output = 0;
  op_cases().add(name + " of " + shape.text(), c);
}

Shape with_size(Shape shape, int axis, std::int64_t size) {
  shape.set(axis, size);
  return shape;
}

bool register_reshape() {
  for (const Shape& to :
       {Shape{30}, Shape{6, 5}, Shape{5, 3, 2}, Shape{1, 2, 1, 15}, Shape{2, 3, 5}}) {
    add(
        "reshape: to " + to.text(), {2, 3, 5}, [to](const Value& x) { return reshape(x, to); },
        reshaping(to));
  }
  add(
      "reshape: to [5, 0, 2]", {0, 3},
      [](const Value& x) {
        return reshape(x, {5, 0, 2});
      },
      reshaping({5, 0, 2}));
  return true;
}

template <int... kAxes>
void add_permute(const Shape& shape) {
  const std::vector<int> axes{kAxes...};
  Shape to = shape;
  std::string name = "permute:";
  for (std::size_t i = 0; i < axes.size(); ++i) {
    to.set(static_cast<int>(i), shape[axes[i]]);
    name += " " + std::to_string(axes[i]);
  }
  add(
      name, shape, [](const Value& x) { return permute(x, {kAxes...}); },
      moving(to, [axes](const Index& index) {
        Index source(index.size());
        for (std::size_t i = 0; i < axes.size(); ++i) {
          source[static_cast<std::size_t>((axes[i] + static_cast<int>(axes.size())) %
                                          static_cast<int>(axes.size()))] = index[i];
        }
        return source;
      }));
}

bool register_permute() {
  for (const Shape& shape : {Shape{2, 3, 5}, Shape{1, 3, 5}, Shape{2, 0, 5}}) {
    add_permute<0, 1, 2>(shape);
    add_permute<0, 2, 1>(shape);
    add_permute<1, 0, 2>(shape);
    add_permute<1, 2, 0>(shape);
    add_permute<2, 0, 1>(shape);
    add_permute<2, 1, 0>(shape);
  }
  add_permute<0>({7});
  add_permute<1, 0>({3, 5});
  add_permute<-1, 0, -2>({2, 3, 5});
  add_permute<2, 0, 3, 1>({2, 3, 4, 5});
  add_permute<3, 4, 0, 5, 2, 1>({2, 1, 3, 2, 3, 2});
  for (const Shape& shape : {Shape{3, 5}, Shape{2, 3, 5}, Shape{2, 3, 4, 5}, Shape{3, 1}}) {
    const Shape to = with_size(with_size(shape, -1, shape[-2]), -2, shape[-1]);
    add(
        "transpose: last two axes", shape, [](const Value& x) { return transpose(x); },
        moving(to, [](Index index) {
          std::swap(index[index.size() - 1], index[index.size() - 2]);
          return index;
        }));
  }
  return true;
}

bool register_expand() {
  for (const auto& [from, to] : {std::pair<Shape, Shape>{{5}, {2, 3, 5}},
                                 {{3, 1}, {2, 3, 5}},
                                 {{2, 1, 5}, {2, 3, 5}},
                                 {{1, 3, 1}, {2, 3, 5}},
                                 {{1}, {7}},
                                 {{2, 1, 4, 1}, {2, 3, 4, 5}},
                                 {{3, 5}, {3, 5}},
                                 {{1, 5}, {0, 5}},
                                 {{1, 1}, {1, 1}}}) {
    add(
        "expand: to " + to.text(), from, [to = to](const Value& x) { return expand(x, to); },
        moving(to, [](const Index& index) { return index; }));
  }
  return true;
}

void add_slice_and_pad(const Shape& shape, int axis) {
  const auto at = static_cast<std::size_t>(axis);
  const std::int64_t n = shape[axis];
  const std::string where = "axis " + std::to_string(axis);
  for (const auto& [b, c] :
       {std::pair<std::int64_t, std::int64_t>{0, n}, {0, 2}, {n - 2, 2}, {1, 2}, {1, 0}}) {
    if (b < 0 || b + c > n) continue;
    const std::string name = where + " from " + std::to_string(b) + " count " + std::to_string(c);
    add(
        "slice: " + name, shape,
        [axis, begin = b, count = c](const Value& x) { return slice(x, axis, begin, count); },
        moving(with_size(shape, axis, c), [at, begin = b](Index index) {
          index[at] += begin;
          return index;
        }));
  }
  for (const auto& [b, a] : {std::pair<std::int64_t, std::int64_t>{2, 3}, {1, 0}, {0, 1}, {0, 0}}) {
    add(
        "pad: " + where + " by " + std::to_string(b) + " and " + std::to_string(a), shape,
        [axis, before = b, after = a](const Value& x) { return pad(x, axis, before, after); },
        moving(with_size(shape, axis, n + b + a), [at, n, before = b](Index index) {
          index[at] -= before;
          return index[at] >= 0 && index[at] < n ? index : Index();
        }));
  }
}

bool register_parts_of_an_axis() {
  for (const Shape& shape : {Shape{7}, Shape{4, 5}, Shape{4, 5, 6}, Shape{0, 5, 4}}) {
    for (int axis = 0; axis < shape.rank(); ++axis) add_slice_and_pad(shape, axis);
  }
  for (const Shape& shape : {Shape{4, 5}, Shape{3, 4, 5}, Shape{2, 3, 4, 1}, Shape{4, 0}}) {
    for (const std::int64_t n : {0, 1, 3, 4, 9}) {
      add(
          "mask_rows: from " + std::to_string(n), shape,
          [n](const Value& x) { return mask_rows(x, n); },
          moving(shape, [n](const Index& i) { return i[i.size() - 2] < n ? i : Index(); }));
    }
  }
  return true;
}

bool register_scale_rows_twice() {
  const Tensor a = Tensor::from({5}, std::vector<float>{0.3F, -1.2F, 0.0F, 0.7F, 2.0F});
  const Tensor b = Tensor::from({5}, std::vector<float>{-0.9F, 0.4F, 1.5F, 0.0F, -0.1F});
  for (const Shape& shape : {Shape{2, 5, 3}, Shape{1, 5, 33}}) {
    OpCase c;
    c.inputs = {{"x", shape}};
    c.op = [a, b](const std::vector<Value>& in) { return scale_rows_twice(in[0], a, b); };
    c.definition = [a, b, shape](const std::vector<Array>& in) {
      Array y(Shape{shape[0], shape[1], 2 * shape[2]});
      for_each_index(y.shape, [&](const Index& index) {
        const bool second = index[2] >= shape[2];
        const float factor = (second ? b : a).f32()[index[1]];
        y.at(index) = double{factor} *
                      in[0].at({index[0], index[1], second ? index[2] - shape[2] : index[2]});
      });
      return y;
    };
    op_cases().add("scale_rows_twice: of " + shape.text(), c);
  }
  return true;
}

// The parts one after the other along an axis.
Array concatenated(const std::vector<Array>& parts, int axis) {
  std::int64_t total = 0;
  for (const Array& part : parts) total += part.shape[axis];
  Array y(with_size(parts[0].shape, axis, total));
  for_each_index(y.shape, [&](Index index) {
    const Index to = index;
    std::int64_t& i = index[static_cast<std::size_t>(axis)];
    for (const Array& part : parts) {
      if (i >= 0 && i < part.shape[axis]) y.at(to) = part.at(index);
      i -= part.shape[axis];
    }
  });
  return y;
}

bool register_concat() {
  for (int axis = 0; axis < 3; ++axis) {
    OpCase c;
    for (const std::int64_t size : {2, 1, 0, 4}) {
      c.inputs.push_back({"part " + std::to_string(size), with_size({2, 3, 5}, axis, size)});
    }
    c.op = [axis](const std::vector<Value>& in) { return concat(in, axis); };
    c.definition = [axis](const std::vector<Array>& in) { return concatenated(in, axis); };
    c.f32.output = 0;
    c.bf16.output = 0;
    op_cases().add("concat: axis " + std::to_string(axis), c);
    c.inputs[1].fixed = true;
    c.inputs[3].fixed = true;
    op_cases().add("concat: with constants, axis " + std::to_string(axis), c);
  }
  add(
      "concat: one part", {2, 3}, [](const Value& x) { return concat({x}, 0); }, reshaping({2, 3}));
  add(
      "concat: a part twice", {2, 3},
      [](const Value& x) {
        return concat({x, x}, 1);
      },
      moving({2, 6}, [](Index index) {
        index[1] %= 3;
        return index;
      }));
  return true;
}

bool register_heads() {
  // y [n, P H dh] with n = 3, P = 2, H = 4, dh = 5: entry p H dh + h dh + d of a row.
  OpCase split_case;
  split_case.inputs = {{"y", {3, 40}}};
  split_case.op = [](const std::vector<Value>& in) {
    const auto p = split_heads(in[0], 2, 4);
    return p[0] * p[1];
  };
  split_case.definition = [](const std::vector<Array>& in) {
    Array y(Shape{4, 3, 5});
    for_each_index(y.shape, [&](const Index& i) {
      const std::int64_t column = i[0] * 5 + i[2];
      y.at(i) = in[0].at({i[1], column}) * in[0].at({i[1], 20 + column});
    });
    return y;
  };
  op_cases().add("split_heads: two projections", split_case);
  add(
      "split_heads: one projection", {3, 20},
      [](const Value& y) { return split_heads(y, 1, 4)[0]; }, moving({4, 3, 5}, [](const Index& i) {
        return Index{i[1], i[0] * 5 + i[2]};
      }));
  add(
      "merge_heads: four heads", {4, 3, 5}, [](const Value& x) { return merge_heads(x); },
      moving({3, 20}, [](const Index& i) {
        return Index{i[1] / 5, i[0], i[1] % 5};
      }));
  return true;
}

const bool kRegistered = register_reshape() && register_scale_rows_twice() && register_permute() &&
                         register_expand() && register_parts_of_an_axis() && register_concat() &&
                         register_heads();

Value value(const Shape& shape) { return Value(uniform(shape, 1, -1, 1)); }

}  // namespace

TEST_CASE("layout operations: impossible shapes are errors", "[unit]") {
  const Value x = value({4, 6});
  CHECK_THROWS_AS(reshape(x, {5, 5}), Error);
  CHECK_THROWS_AS(permute(x, {0}), Error);
  CHECK_THROWS_AS(permute(x, {0, 2}), Error);
  CHECK_THROWS_AS(permute(x, {1, 1}), Error);
  CHECK_THROWS_AS(permute(x, {-1, 1}), Error);
  CHECK_THROWS_AS(transpose(value({4})), Error);
  CHECK_THROWS_AS(expand(x, {4, 7}), Error);
  CHECK_THROWS_AS(expand(x, {6}), Error);
  CHECK_THROWS_AS(expand(x, {4}), Error);
  CHECK_THROWS_AS(concat({}, 0), Error);
  CHECK_THROWS_AS(concat({x, value({4, 7})}, 0), Error);
  CHECK_THROWS_AS(concat({x, value({4})}, 0), Error);
  CHECK_THROWS_AS(concat({x, x}, 2), Error);
  CHECK_THROWS_AS(slice(x, 1, 3, 4), Error);
  CHECK_THROWS_AS(slice(x, 1, -1, 2), Error);
  CHECK_THROWS_AS(slice(x, 1, 1, -1), Error);
  CHECK_THROWS_AS(slice(x, 2, 0, 1), Error);
  CHECK_THROWS_AS(split(x, 3), Error);
  CHECK_THROWS_AS(split(x, 0), Error);
  CHECK_THROWS_AS(pad(x, 0, -1, 2), Error);
  CHECK_THROWS_AS(mask_rows(x, -1), Error);
  CHECK_THROWS_AS(mask_rows(value({4}), 1), Error);
  CHECK_THROWS_AS(split_heads(x, 1, 4), Error);
  CHECK_THROWS_AS(split_heads(x, 1, 0), Error);
  CHECK_THROWS_AS(split_heads(value({4}), 1, 1), Error);
  CHECK_THROWS_AS(merge_heads(x), Error);
}

TEST_CASE("reshape and split share storage, also on a tape", "[unit]") {
  Tape tape;
  const Value x = tape.leaf(uniform({6, 4}, 1, -1, 1));
  CHECK(reshape(x, {24}).tensor().raw() == x.tensor().raw());
  const std::vector<Value> parts = split(x, 3);
  REQUIRE(parts.size() == 3);
  CHECK(parts[2].tensor().raw() == x.tensor().raw() + 4 * 4 * sizeof(float));
}

TEST_CASE("expand_tensor: repeats, or returns the tensor itself", "[unit]") {
  const Tensor x = Tensor::from({2, 1}, std::vector<float>{1, 2});
  CHECK(expand_tensor(x, {2, 1}).raw() == x.raw());
  CHECK(expand_tensor(x, {2, 2, 3}).to_floats() ==
        std::vector<float>{1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2});
}

}  // namespace lra::engine::testing

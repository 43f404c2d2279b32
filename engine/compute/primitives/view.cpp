#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/compute/primitives/internal.h"

namespace lra::engine::primitives {
namespace {

dnnl::memory::data_type dnnl_type(DType type) {
  switch (type) {
    case DType::f32:
      return dnnl::memory::data_type::f32;
    case DType::bf16:
      return dnnl::memory::data_type::bf16;
    case DType::i32:
      return dnnl::memory::data_type::s32;
  }
  return dnnl::memory::data_type::undef;
}

}  // namespace

Desc descriptor(const View& v) {
  const auto rank = static_cast<std::ptrdiff_t>(v.rank);
  return {Dims(v.dims.begin(), v.dims.begin() + rank), dnnl_type(v.dtype),
          Dims(v.strides.begin(), v.strides.begin() + rank)};
}

std::string text(const View& v) {
  const auto rank = static_cast<std::size_t>(v.rank);
  return fmt::format("{}{}/{}", dtype_name(v.dtype),
                     std::vector(v.dims.begin(), v.dims.begin() + rank),
                     std::vector(v.strides.begin(), v.strides.begin() + rank));
}

Shape flat(const Tensor& t) { return Shape{t.numel()}; }
Shape rows(const Tensor& t) { return Shape{t.numel() / t.dim(-1), t.dim(-1)}; }

void check_same(const char* where, const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) {
    fail(ErrorKind::shape, "{}: got {} and {}, expected equal shapes", where, a.shape().text(),
         b.shape().text());
  }
}

View view(const Tensor& tensor) { return view(tensor, tensor.shape()); }

View view(const Tensor& tensor, const Shape& shape) {
  View v;
  v.data = tensor.raw();
  v.dtype = tensor.dtype();
  v.rank = shape.rank();
  std::int64_t stride = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    v.dims[static_cast<std::size_t>(i)] = shape[i];
    v.strides[static_cast<std::size_t>(i)] = stride;
    stride *= shape[i];
  }
  return v;
}

View transposed(View v) {
  const auto last = static_cast<std::size_t>(v.rank - 1);
  std::swap(v.dims[last], v.dims[last - 1]);
  std::swap(v.strides[last], v.strides[last - 1]);
  return v;
}

View permuted(const View& v, std::span<const int> axes) {
  View result = v;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    result.dims[i] = v.dims[static_cast<std::size_t>(axes[i])];
    result.strides[i] = v.strides[static_cast<std::size_t>(axes[i])];
  }
  return result;
}

View narrowed(View v, int axis, std::int64_t begin, std::int64_t count) {
  const auto i = static_cast<std::size_t>(axis < 0 ? axis + v.rank : axis);
  v.data += static_cast<std::size_t>(begin * v.strides[i]) * size_of(v.dtype);
  v.dims[i] = count;
  return v;
}

PostOp apply(Unary unary, float alpha, float beta) {
  return {PostOp::Kind::unary, unary, alpha, beta, Binary::add, {}};
}

PostOp apply(Binary binary, const View& operand) {
  return {PostOp::Kind::binary, Unary::linear, 0, 0, binary, operand};
}

PostOp accumulate() { return {PostOp::Kind::sum, Unary::linear, 0, 0, Binary::add, {}}; }

}  // namespace lra::engine::primitives

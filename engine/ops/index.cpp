#include "engine/ops/index.h"

#include <utility>
#include <vector>

#include "engine/compute/kernels/kernels.h"
#include "engine/ops/internal.h"

namespace lra::engine {
namespace {

std::span<const std::int32_t> indices(const Tensor& t) {
  if (t.dtype() != DType::i32) fail(ErrorKind::shape, "index: got {}", dtype_name(t.dtype()));
  return {t.i32(), static_cast<std::size_t>(t.numel())};
}

void check_range(std::span<const std::int32_t> index, std::int64_t rows, const char* what) {
  for (const std::int32_t i : index) {
    if (i >= rows) fail(ErrorKind::shape, "{}: index {} of {} rows", what, i, rows);
  }
}

void check_embedding(const Value& table, const Value& positions, std::span<const std::int32_t> ids,
                     std::int64_t rows) {
  const auto n = static_cast<std::int64_t>(ids.size());
  bool fits = table.rank() == 2 && table.dtype() == DType::f32 && n <= rows;
  if (fits && positions.defined()) {
    fits = positions.rank() == 2 && positions.dtype() == DType::f32 && positions.dim(0) >= n &&
           positions.dim(1) == table.dim(1);
  }
  if (!fits) {
    fail(ErrorKind::shape,
         "embedding: got table {} {}, positions {}, {} ids for {} rows, expected f32 [V, E], f32 "
         "[>= ids, E], no more ids than rows",
         dtype_name(table.dtype()), table.shape().text(),
         positions.defined() ? positions.shape().text() : "none", n, rows);
  }
  check_range(ids, table.dim(0), "embedding");
  for (const std::int32_t id : ids) {
    if (id < 0) fail(ErrorKind::shape, "embedding: negative id {}", id);
  }
}

void check_matrix(const Value& x, const char* what) {
  if (x.rank() != 2) fail(ErrorKind::shape, "{}: got {}, expected [R, C]", what, x.shape().text());
}

}  // namespace

Value embedding(const Value& table, const Value& positions, std::span<const std::int32_t> ids,
                std::int64_t rows, DType dtype) {
  check_embedding(table, positions, ids, rows);
  Tensor y({rows, table.dim(1)}, dtype);
  kernels::embed(table.tensor(), positions.defined() ? positions.tensor() : Tensor(), ids, y);
  std::vector<std::int32_t> kept(ids.begin(), ids.end());
  return Tape::record(
      std::move(y), {&table, &positions},
      [kept = std::move(kept), gt = table.gradient(), gp = positions.gradient()](const Tensor& dy) {
        // One after the other, because both may be the same gradient.
        kernels::embed_backward(dy, kept, ops::f32_sum(gt), Tensor());
        kernels::embed_backward(dy, kept, Tensor(), ops::f32_sum(gp));
      });
}

Value gather_rows(const Value& x, const Tensor& index) {
  check_matrix(x, "gather_rows");
  check_range(indices(index), x.dim(0), "gather_rows");
  Tensor y({index.numel(), x.dim(1)}, x.dtype());
  kernels::gather_rows(x.tensor(), indices(index), y);
  return Tape::record(std::move(y), {&x},
                      [=, from = x.shape(), gx = x.gradient()](const Tensor& dy) {
                        Tensor dx = Tensor::zeros(from, dy.dtype());
                        kernels::scatter_add_rows(dy, indices(index), dx);
                        gx->add(std::move(dx));
                      });
}

Value scatter_add_rows(const Value& x, const Tensor& index, std::int64_t rows) {
  check_matrix(x, "scatter_add_rows");
  if (index.numel() != x.dim(0)) {
    fail(ErrorKind::shape, "scatter_add_rows: got {} indices for {}", index.numel(),
         x.shape().text());
  }
  check_range(indices(index), rows, "scatter_add_rows");
  Tensor y = Tensor::zeros({rows, x.dim(1)}, x.dtype());
  kernels::scatter_add_rows(x.tensor(), indices(index), y);
  return Tape::record(std::move(y), {&x},
                      [=, from = x.shape(), gx = x.gradient()](const Tensor& dy) {
                        Tensor dx(from, dy.dtype());
                        kernels::gather_rows(dy, indices(index), dx);
                        gx->add(std::move(dx));
                      });
}

}  // namespace lra::engine

#include "engine/ops/index.h"

#include <utility>
#include <vector>

#include "engine/kernels.h"

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

}  // namespace

Value embedding(const Value& table, const Value& positions, std::span<const std::int32_t> ids,
                std::int64_t rows, DType dtype) {
  const auto n = static_cast<std::int64_t>(ids.size());
  if (n > rows || (positions.defined() && positions.dim(0) < n)) {
    fail(ErrorKind::shape, "embedding: {} ids for {} rows and {} positions", n, rows,
         positions.defined() ? positions.dim(0) : rows);
  }
  check_range(ids, table.dim(0), "embedding");
  for (const std::int32_t id : ids) {
    if (id < 0) fail(ErrorKind::shape, "embedding: negative id {}", id);
  }
  Tensor y({rows, table.dim(1)}, dtype);
  kernels::embed(table.tensor(), positions.defined() ? positions.tensor() : Tensor(), ids, y);
  std::vector<std::int32_t> kept(ids.begin(), ids.end());
  return Tape::record(
      std::move(y), {&table, &positions},
      [kept = std::move(kept), gt = table.gradient(), gp = positions.gradient()](const Tensor& dy) {
        const auto sum = [](const Gradient& g) {
          if (!g) return Tensor();
          const GradNode::Target target = g->target();
          if (!target.accumulate) target.tensor.zero();
          return target.tensor;
        };
        kernels::embed_backward(dy, kept, sum(gt), sum(gp));
      });
}

Value gather_rows(const Value& x, const Tensor& index) {
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

#include "attention/parts/pseudo_inverse.h"

#include "engine/ops.h"

namespace lra::attention {
namespace {

using engine::Tensor;
using engine::Value;

// factor I - x.
Value identity_minus(float factor, const Value& x) {
  const std::int64_t m = x.dim(1);
  const Tensor diagonal = Tensor::zeros({1, m, m});
  for (std::int64_t i = 0; i < m; ++i) diagonal.f32()[i * (m + 1)] = factor;
  return Value(diagonal) - x;
}

Plain identity_minus(double factor, Plain x) {
  for (double& a : x.data) a = -a;
  for (std::int64_t h = 0; h < x.dim(0); ++h) {
    for (std::int64_t i = 0; i < x.dim(1); ++i) x(h, i, i) += factor;
  }
  return x;
}

}  // namespace

Value pseudo_inverse(const Value& A, std::int64_t iterations) {
  const Value c = max(sum(A, 1), 2);  // [H,1,1]
  Value Z = transpose(A) / c;         // [H,m,m]
  for (std::int64_t i = 0; i < iterations; ++i) {
    const Value AZ = matmul(A, Z);
    Value t = matmul(AZ, identity_minus(7.0F, AZ));
    t = matmul(AZ, identity_minus(15.0F, t));
    Z = matmul(Z, identity_minus(13.0F, t)) * 0.25F;
  }
  return Z;
}

Plain product(const Plain& a, const Plain& b) {
  Plain c({a.dim(0), a.dim(1), b.dim(2)});
  for (std::int64_t h = 0; h < c.dim(0); ++h) {
    for (std::int64_t i = 0; i < c.dim(1); ++i) {
      for (std::int64_t k = 0; k < a.dim(2); ++k) add_scaled(c, h, i, a(h, i, k), b, k);
    }
  }
  return c;
}

Plain pseudo_inverse(const Plain& A, std::int64_t iterations) {
  const std::int64_t m = A.dim(1);
  Plain Z(A.shape);
  for (std::int64_t h = 0; h < A.dim(0); ++h) {
    double c = 0;
    for (std::int64_t j = 0; j < m; ++j) {
      double column = 0;
      for (std::int64_t i = 0; i < m; ++i) column += A(h, i, j);
      c = std::max(c, column);
    }
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < m; ++j) Z(h, i, j) = A(h, j, i) / c;
    }
  }
  for (std::int64_t i = 0; i < iterations; ++i) {
    const Plain AZ = product(A, Z);
    const Plain inner = product(AZ, identity_minus(7, AZ));
    Z = product(Z, identity_minus(13, product(AZ, identity_minus(15, inner))));
    for (double& z : Z.data) z /= 4;
  }
  return Z;
}

}  // namespace lra::attention

#include "attention/parts/projections.h"

#include <cmath>
#include <unordered_map>
#include <vector>

namespace lra::attention {
namespace {

using engine::DType;
using engine::Tensor;

constexpr std::size_t kKept = 64;  // projections a thread keeps: more than layers of any model

double gaussian_norm(RandomStream& random, std::int64_t D) {
  double sum = 0;
  for (std::int64_t c = 0; c < D; ++c) {
    const double x = random.normal();
    sum += x * x;
  }
  return std::sqrt(sum);
}

// Appends `count` orthonormal rows of length D.
void add_block(RandomStream& random, std::int64_t count, std::int64_t D,
               std::vector<std::vector<double>>& rows) {
  const std::size_t first = rows.size();
  for (std::int64_t i = 0; i < count; ++i) {
    std::vector<double> row(static_cast<std::size_t>(D));
    for (double& x : row) x = random.normal();
    double norm = 0;
    for (int pass = 0; pass < 2; ++pass) {  // twice, for orthogonality to rounding
      for (std::size_t j = first; j < rows.size(); ++j) {
        double product = 0;
        for (std::size_t c = 0; c < row.size(); ++c) product += row[c] * rows[j][c];
        for (std::size_t c = 0; c < row.size(); ++c) row[c] -= product * rows[j][c];
      }
      norm = 0;
      for (const double x : row) norm += x * x;
    }
    for (double& x : row) x /= std::sqrt(norm);
    rows.push_back(std::move(row));
  }
}

Tensor make(std::int64_t M, std::int64_t D, RandomKey key) {
  RandomStream random(key);
  std::vector<std::vector<double>> rows;
  while (static_cast<std::int64_t>(rows.size()) < M) {
    add_block(random, std::min(D, M - static_cast<std::int64_t>(rows.size())), D, rows);
  }
  Tensor P({M, D}, DType::f32);
  float* to = P.f32();
  for (const auto& row : rows) {
    const double norm = gaussian_norm(random, D);
    for (const double x : row) *to++ = static_cast<float>(norm * x);
  }
  return P;
}

}  // namespace

Tensor orthogonal_projection(std::int64_t M, std::int64_t D, RandomKey key) {
  thread_local std::unordered_map<std::uint64_t, Tensor> kept;
  const std::uint64_t id =
      key.of(static_cast<std::uint64_t>(M)).of(static_cast<std::uint64_t>(D)).value();
  if (const auto found = kept.find(id); found != kept.end()) return found->second;
  if (kept.size() >= kKept) kept.clear();
  return kept.emplace(id, make(M, D, key)).first->second;
}

}  // namespace lra::attention

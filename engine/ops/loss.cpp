#include "engine/ops/loss.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace lra::engine {

namespace {

// Computed in double: the primitive's logarithm has an error of 1e-6, as large as the loss of a
// solved task.
double log_sum_exp(std::span<const float> row) {
  const double top = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float x : row) sum += std::exp(x - top);
  return top + std::log(sum);
}

}  // namespace

Value cross_entropy(const Value& logits, std::span<const std::int32_t> labels, float scale) {
  if (logits.dtype() != DType::f32 || logits.rank() != 2 || logits.dim(1) < 1 ||
      static_cast<std::int64_t>(labels.size()) != logits.dim(0)) {
    fail(ErrorKind::shape, "cross_entropy: got logits {} {}, {} labels, expected f32 [B, K], B",
         dtype_name(logits.dtype()), logits.shape().text(), labels.size());
  }
  const std::int64_t rows = logits.dim(0);
  const std::int64_t K = logits.dim(1);
  const Tensor log_p(logits.shape(), DType::f32);
  double loss = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::span<const float> row(logits.tensor().f32() + i * K, static_cast<std::size_t>(K));
    const double normaliser = log_sum_exp(row);
    for (std::int64_t j = 0; j < K; ++j) {
      log_p.f32()[i * K + j] = static_cast<float>(row[static_cast<std::size_t>(j)] - normaliser);
    }
    const std::int32_t label = labels[static_cast<std::size_t>(i)];
    if (label == kIgnoredLabel) continue;
    if (label < 0 || label >= K) fail(ErrorKind::shape, "cross_entropy: label {} of {}", label, K);
    loss += normaliser - row[static_cast<std::size_t>(label)];
  }
  const std::vector<std::int32_t> kept(labels.begin(), labels.end());
  Tensor result = Tensor::full({1}, static_cast<float>(loss * static_cast<double>(scale)));
  return Tape::record(std::move(result), {&logits}, [=, g = logits.gradient()](const Tensor& dy) {
    Tensor dx = Tensor::zeros(log_p.shape());
    const float seed = dy.f32()[0] * scale;
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int32_t label = kept[static_cast<std::size_t>(i)];
      if (label == kIgnoredLabel) continue;
      for (std::int64_t j = 0; j < K; ++j) {
        const float p = std::exp(log_p.f32()[i * K + j]);
        dx.f32()[i * K + j] = seed * (p - (j == label ? 1.0F : 0.0F));
      }
    }
    g->add(std::move(dx));
  });
}

}  // namespace lra::engine

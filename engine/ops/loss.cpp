#include "engine/ops/loss.h"

#include <cmath>
#include <utility>
#include <vector>

#include "engine/primitives.h"

namespace lra::engine {

Value cross_entropy(const Value& logits, std::span<const std::int32_t> labels, float scale) {
  const std::int64_t rows = logits.dim(0);
  const std::int64_t K = logits.dim(1);
  if (logits.dtype() != DType::f32 || static_cast<std::int64_t>(labels.size()) != rows) {
    fail(ErrorKind::shape, "cross_entropy: logits {} {}, {} labels", dtype_name(logits.dtype()),
         logits.shape().text(), labels.size());
  }
  const Tensor log_p(logits.shape(), DType::f32);
  primitives::softmax(primitives::SoftmaxKind::log_softmax, logits.tensor(), log_p);
  double loss = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int32_t label = labels[static_cast<std::size_t>(i)];
    if (label == kIgnoredLabel) continue;
    if (label < 0 || label >= K) fail(ErrorKind::shape, "cross_entropy: label {} of {}", label, K);
    loss -= log_p.f32()[i * K + label];
  }
  const std::vector<std::int32_t> kept(labels.begin(), labels.end());
  Tensor result = Tensor::full({1}, static_cast<float>(loss) * scale);
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

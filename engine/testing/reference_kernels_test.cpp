// No step of training may be served by one of oneDNN's reference kernels: a single one costs more
// than a whole layer.

#include <set>

#include "engine/compute/primitives/primitives.h"
#include "engine/ops.h"
#include "engine/runtime.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

constexpr std::int64_t D = 64;
constexpr std::int64_t F = 128;
constexpr std::int64_t H = 2;
constexpr std::int64_t V = 32;
constexpr std::int64_t K = 10;

// A model's parameters on a tape: matrices in the computing type, vectors in f32, sums in f32.
class Weights {
 public:
  Weights(Tape& tape, DType type) : tape_(tape), type_(type) {}
  Value matrix(const Shape& shape) { return make(shape, type_); }
  Value vector(std::int64_t size) { return make({size}, DType::f32); }
  Value table(const Shape& shape) { return make(shape, DType::f32); }

 private:
  Value make(const Shape& shape, DType type) {
    return tape_.parameter(uniform(shape, ++count_, -0.1, 0.1, type), Tensor::zeros(shape));
  }
  Tape& tape_;
  DType type_;
  std::uint64_t count_ = 0;
};

Value norm(const Value& x, Weights& w) { return layer_norm(x, w.vector(D), w.vector(D), 1e-5F); }

// phi(q) (phi(k)^T v) / (phi(q) sum phi(k)).
Value linear_attention(const Value& q, const Value& k, const Value& v, std::int64_t length) {
  const Value phi_q = elu_plus_one(q);
  const Value phi_k = mask_rows(elu_plus_one(k), length);
  const Value state = matmul(phi_k, v, {.transpose_a = true});
  const Value total = sum(phi_k, 1);
  const Value denominator = matmul(phi_q, total, {.transpose_b = true, .f32_result = true});
  return matmul(phi_q, state) / (denominator + 1e-6F);
}

// An attention layer over the scores of all pairs.
Value full_attention(const Value& q, const Value& k, const Value& v) {
  const Value scores = matmul(q, k, {.transpose_b = true}) * 0.18F;
  return matmul(softmax(scores), v);
}

Value tiled_attention(const Value& q, const Value& k, const Value& v, std::int64_t length) {
  SoftmaxAttentionOptions options;
  options.scale = 0.18F;
  options.keys = length;
  return softmax_attention(q, k, v, options);
}

enum class Attention { linear, full, tiled };

Value layer(const Value& x, Weights& w, std::int64_t length, Attention attention) {
  const Value y = linear(norm(x, w), w.matrix({D, 3 * D}), w.vector(3 * D));
  const std::vector<Value> heads = split_heads(y, 3, H);
  const Value mixed =
      attention == Attention::linear ? linear_attention(heads[0], heads[1], heads[2], length)
      : attention == Attention::full ? full_attention(heads[0], heads[1], heads[2])
                                     : tiled_attention(heads[0], heads[1], heads[2], length);
  const Value out = linear(merge_heads(mixed), w.matrix({D, D}), w.vector(D), {.residual = &x});
  const Value hidden =
      dropout(gelu_erf(linear(norm(out, w), w.matrix({D, F}), w.vector(F))), 0.1, RandomKey(1));
  const Value rectified = linear(norm(out, w), w.matrix({D, F}), w.vector(F), {.relu = true});
  const Value both = linear(hidden + rectified, w.matrix({F, D}), w.vector(D), {.residual = &out});
  return both + out;
}

// Forward and backward of a classifier with one layer over n tokens, of which `length` are real.
void train(std::int64_t n, std::int64_t length, DType type, Attention attention) {
  Tape tape;
  Weights w(tape, type);
  const std::vector<std::int32_t> ids(static_cast<std::size_t>(length), 3);
  const Value x = embedding(w.table({V, D}), w.table({n, D}), ids, n, type);
  const Value y = mask_rows(norm(layer(x, w, length, attention), w), length);
  const Value pooled = cast(sum_f32(y, 0), type) * (1.0F / static_cast<float>(length));
  const Value largest_entries = max(y, 0);
  const Value mean_entries = mean(y, 0);
  const Value features = pooled + largest_entries + mean_entries;
  const Value logits = cast(linear(features, w.matrix({D, K}), w.vector(K)), DType::f32);
  const std::vector<std::int32_t> labels{4};
  tape.backward(cross_entropy(logits, labels, 1));
}

void check_no_reference(std::int64_t n, DType type, Attention attention) {
  primitives::clear_thread_cache();
  primitives::forget_compiled();
  train(n, n - 100, type, attention);
  CHECK(primitives::compiled().size() > 30);
  // The optimised layer norm is named "simple_layer_normalization:any".
  CHECK(primitives::reference_kernels() == std::vector<std::string>());
}

}  // namespace

TEST_CASE("training: no primitive of an encoder layer is a reference kernel", "[unit]") {
  if (!machine().isa.starts_with("avx512")) {
    WARN("skipped: which kernels are optimised is known for AVX-512 only");
    return;
  }
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const std::int64_t n : {512, 2048}) {
      for (const Attention attention : {Attention::linear, Attention::full, Attention::tiled}) {
        if (attention == Attention::full && n > 512) continue;
        check_no_reference(n, type, attention);
      }
    }
  }
}

}  // namespace lra::engine::testing

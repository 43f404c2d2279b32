#include "engine/fused/attention/softmax_attention.h"

#include <algorithm>
#include <cmath>

#include "engine/base/error.h"
#include "engine/compute/kernels/kernels.h"
#include "engine/ops/arithmetic.h"
#include "engine/ops/reduce.h"
#include "engine/tensor/memory.h"
#include "engine/testing/op_cases.h"
#include "tests/catch.h"

namespace lra::engine::testing {
namespace {

constexpr std::int64_t H = 2;
constexpr std::int64_t D = 3;
constexpr std::int64_t Dv = 4;

// What dropout multiplies the weights of a head by, [M, N]: drawn per block of keys and queries.
Array dropout_factors(std::int64_t h, std::int64_t M, std::int64_t N,
                      const SoftmaxAttentionOptions& o) {
  Array factors(Shape{M, N});
  for (std::int64_t q = 0; q < N; q += o.query_tile) {
    for (std::int64_t k = 0; k < M; k += o.key_block) {
      const Tensor block =
          Tensor::full({std::min(o.key_block, M - k), std::min(o.query_tile, N - q)}, 1);
      kernels::dropout(block, block, o.dropout,
                       o.key.of(static_cast<std::uint64_t>(h))
                           .of(static_cast<std::uint64_t>(q))
                           .of(static_cast<std::uint64_t>(k)));
      for (std::int64_t j = 0; j < block.dim(0); ++j) {
        for (std::int64_t i = 0; i < block.dim(1); ++i) {
          factors.at({k + j, q + i}) = static_cast<double>(block.f32()[j * block.dim(1) + i]);
        }
      }
    }
  }
  return factors;
}

// o_i = sum_j softmax_j(scale q_i . k_j) v_j over the keys that query i may see.
Array attention_definition(const Array& q, const Array& k, const Array& v,
                           const SoftmaxAttentionOptions& o) {
  Array y(Shape{H, q.shape[1], Dv});
  for (std::int64_t h = 0; h < H; ++h) {
    const Array factors = dropout_factors(h, k.shape[1], q.shape[1], o);
    for (std::int64_t i = 0; i < q.shape[1]; ++i) {
      const std::int64_t end = o.causal ? std::min(o.keys, i + 1) : o.keys;
      std::vector<double> logits;
      for (std::int64_t j = 0; j < end; ++j) {
        double sum = 0;
        for (std::int64_t d = 0; d < D; ++d) sum += q.at({h, i, d}) * k.at({h, j, d});
        logits.push_back(static_cast<double>(o.scale) * sum);
      }
      const double top = end > 0 ? *std::max_element(logits.begin(), logits.end()) : 0;
      double total = 0;
      for (double& logit : logits) total += (logit = std::exp(logit - top));
      for (std::int64_t j = 0; j < end; ++j) {
        const double weight = logits[static_cast<std::size_t>(j)] / total * factors.at({j, i});
        for (std::int64_t d = 0; d < Dv; ++d) y.at({h, i, d}) += weight * v.at({h, j, d});
      }
    }
  }
  return y;
}

SoftmaxAttentionOptions options(std::int64_t keys, bool causal, float scale = 0.6F) {
  SoftmaxAttentionOptions o;
  o.keys = keys;
  o.causal = causal;
  o.scale = scale;
  o.query_tile = 3;
  o.key_block = 2;
  return o;
}

void add(const std::string& name, std::int64_t N, std::int64_t M,
         const SoftmaxAttentionOptions& o) {
  OpCase c;
  c.inputs = {{"q", {H, N, D}}, {"k", {H, M, D}}, {"v", {H, M, Dv}}};
  c.op = [o](const std::vector<Value>& in) { return softmax_attention(in[0], in[1], in[2], o); };
  c.definition = [o](const std::vector<Array>& in) {
    return attention_definition(in[0], in[1], in[2], o);
  };
  // Weights are exponentials of rounded logits: an error of 6e-8 times the largest logit each.
  c.f32 = {4e-6, 8e-6};
  // Weights, scaled queries and dS are rounded to bf16 between products.
  c.bf16 = {2e-2, 4e-2};
  if (o.scale > 10) {  // rounding a logit of 100 to bf16 changes its weight altogether
    c.f32 = {4e-5, 8e-5};
    c.bf16 = {0, 0};
  }
  op_cases().add("softmax_attention: " + name, c);
}

bool register_all() {
  for (const bool causal : {false, true}) {
    const std::string suffix = causal ? ", causal" : "";
    add("7 queries, 7 keys" + suffix, 7, 7, options(7, causal));
    add("7 queries, 5 of 8 keys" + suffix, 7, 8, options(5, causal));
    add("8 queries, 3 keys" + suffix, 8, 3, options(3, causal));
    add("one query, one key" + suffix, 1, 1, options(1, causal));
    add("no keys" + suffix, 5, 4, options(0, causal));
    add("large logits" + suffix, 7, 6, options(5, causal, 40));
    SoftmaxAttentionOptions o = options(7, causal);
    o.query_tile = 256;
    o.key_block = 512;
    add("one tile" + suffix, 7, 8, o);
    for (SoftmaxAttentionOptions dropping : {o, options(5, causal)}) {
      dropping.dropout = 0.3;
      dropping.key = RandomKey(4);
      const bool tiles = dropping.key_block < 8;
      add((tiles ? "dropout, tiles" : "dropout") + suffix, 7, 8, dropping);
    }
  }
  return true;
}
const bool kRegistered = register_all();

std::vector<Input> inputs(std::int64_t n, double range) {
  return {{"q", uniform({H, n, D}, 1, -range, range)},
          {"k", uniform({H, n, D}, 2, -range, range)},
          {"v", uniform({H, n, Dv}, 3, -range, range)}};
}

Value value(const Shape& shape) { return Value(uniform(shape, 1, -1, 1)); }

}  // namespace

TEST_CASE("softmax_attention: dropout's gradients are those of what it computes", "[grad]") {
  for (const bool causal : {false, true}) {
    SoftmaxAttentionOptions o = options(6, causal);
    o.dropout = 0.3;
    o.key = RandomKey(3);
    const Errors errors = check_differences(
        [o](const std::vector<Value>& in) { return softmax_attention(in[0], in[1], in[2], o); },
        inputs(7, 1));
    INFO(errors.worst);
    CHECK(errors.gradient < 2e-3);
  }
}

TEST_CASE("softmax_attention: dropout keeps the mean and depends on the key alone", "[unit]") {
  SoftmaxAttentionOptions o = options(50, false);
  o.dropout = 0.25;
  const auto run = [&](std::uint64_t seed) {
    o.key = RandomKey(seed);
    const Value ones(Tensor::full({H, 50, Dv}, 1));
    return softmax_attention(value({H, 40, D}), value({H, 50, D}), ones, o).tensor();
  };
  CHECK(identical(run(1), run(1)));
  CHECK(!identical(run(1), run(2)));
  double mean = 0;
  for (const float y : run(1).to_floats()) mean += y / static_cast<double>(H * 40 * Dv);
  // 80 rows of about 50 weights: a deviation of sqrt(p / (1 - p) / 4000) = 0.009.
  CHECK(std::abs(mean - 1) < 0.05);
}

TEST_CASE("softmax_attention: tiles change nothing but rounding", "[unit]") {
  const std::vector<Input> in = inputs(29, 2);
  const auto run = [&](std::int64_t tile, std::int64_t block) {
    SoftmaxAttentionOptions o = options(23, false);
    o.query_tile = tile;
    o.key_block = block;
    return to_array(
        softmax_attention(Value(in[0].tensor), Value(in[1].tensor), Value(in[2].tensor), o)
            .tensor());
  };
  const Array whole = run(64, 64);
  for (const auto& [tile, block] :
       {std::pair<std::int64_t, std::int64_t>{1, 1}, {5, 64}, {64, 5}, {29, 23}, {7, 11}}) {
    CHECK(error(run(tile, block).values, whole.values, largest(whole.values)) < 2e-6);
  }
}

TEST_CASE("softmax_attention: memory grows linearly with the length", "[unit]") {
  const auto peak = [](std::int64_t n) {
    const auto meter = std::make_shared<MemoryMeter>();
    const MemoryScope scope(meter);
    SoftmaxAttentionOptions o;
    o.keys = n;
    o.query_tile = 32;
    o.key_block = 32;
    Tape tape;
    const std::vector<Input> in = inputs(n, 1);
    const Value y = softmax_attention(tape.leaf(in[0].tensor), tape.leaf(in[1].tensor),
                                      tape.leaf(in[2].tensor), o);
    tape.backward(y);
    return meter->peak_bytes();
  };
  static_cast<void>(peak(256));  // scratchpads
  const auto small = static_cast<double>(peak(256));
  const auto large = static_cast<double>(peak(1024));
  CHECK(large < 4.5 * small);
}

TEST_CASE("softmax_attention: operands that do not fit are shape errors", "[unit]") {
  const auto run = [](const Shape& q, const Shape& k, const Shape& v,
                      const SoftmaxAttentionOptions& o) {
    return softmax_attention(value(q), value(k), value(v), o);
  };
  const SoftmaxAttentionOptions o = options(5, false);
  CHECK_THROWS_AS(run({7, 3}, {7, 3}, {7, 4}, o), Error);
  CHECK_THROWS_AS(run({2, 7, 3}, {1, 7, 3}, {2, 7, 4}, o), Error);
  CHECK_THROWS_AS(run({2, 7, 3}, {2, 7, 4}, {2, 7, 4}, o), Error);
  CHECK_THROWS_AS(run({2, 7, 3}, {2, 7, 3}, {2, 6, 4}, o), Error);
  CHECK_THROWS_AS(run({2, 7, 3}, {2, 7, 3}, {2, 7, 4}, options(8, false)), Error);
  CHECK_THROWS_AS(run({2, 7, 3}, {2, 7, 3}, {2, 7, 4}, options(-1, false)), Error);
  SoftmaxAttentionOptions no_tile = o;
  no_tile.query_tile = 0;
  CHECK_THROWS_AS(run({2, 7, 3}, {2, 7, 3}, {2, 7, 4}, no_tile), Error);
}

}  // namespace lra::engine::testing

#include <algorithm>
#include <cmath>

#include "engine/compute/kernels/kernels.h"
#include "engine/testing/testing.h"
#include "tests/catch.h"

namespace lra::engine::testing {

namespace {

using lra::testing::Approx;

std::vector<float> dropped(std::int64_t n, double p, std::uint64_t key, DType dtype = DType::f32) {
  const Tensor y({n}, dtype);
  kernels::dropout(Tensor::full({n}, 1, dtype), y, p, RandomKey(key));
  return y.to_floats();
}

}  // namespace

TEST_CASE("dropout kernel: the share that is kept is 1 - p within five deviations", "[unit]") {
  constexpr std::int64_t n = 200003;
  for (const double p : {0.1, 0.5, 0.75, 0.01}) {
    for (const DType type : {DType::f32, DType::bf16}) {
      const std::vector<float> y = dropped(n, p, 11, type);
      const auto kept = std::count_if(y.begin(), y.end(), [](float v) { return v != 0; });
      const double deviation = std::sqrt(static_cast<double>(n) * p * (1 - p));
      CHECK(std::abs(static_cast<double>(kept) - (1 - p) * static_cast<double>(n)) <
            5 * deviation + static_cast<double>(n) / 65536);
      const float scale = *std::max_element(y.begin(), y.end());
      CHECK(scale == Approx(1 / (1 - p)).epsilon(type == DType::bf16 ? 4e-3 : 1e-4));
      double sum = 0;  // the expectation is that of x
      for (const float v : y) sum += v;
      CHECK(sum / static_cast<double>(n) == Approx(1).margin(0.02 / (1 - p)));
    }
  }
}

TEST_CASE("dropout kernel: a key gives one mask, in every type, another gives another", "[unit]") {
  constexpr int n = 20000;
  const std::vector<float> first = dropped(n, 0.5, 1);
  CHECK(first == dropped(n, 0.5, 1));
  CHECK(first == dropped(n, 0.5, 1, DType::bf16));
  const std::vector<float> second = dropped(n, 0.5, 2);
  int equal = 0;
  for (std::size_t i = 0; i < first.size(); ++i) equal += first[i] == second[i] ? 1 : 0;
  CHECK(std::abs(equal - n / 2.0) < 5 * std::sqrt(n) / 2);
  // A prefix of a longer tensor has the same mask, and blocks differ from each other.
  for (const std::int64_t length : {700, 9000}) {
    const std::vector<float> shorter = dropped(length, 0.5, 1);
    CHECK(std::equal(shorter.begin(), shorter.end(), first.begin()));
  }
  for (const std::size_t lag : {1U, 32U, 64U, 512U, 1024U, 8192U}) {
    int same = 0;
    for (std::size_t i = 0; i + lag < first.size(); ++i) same += first[i] == first[i + lag] ? 1 : 0;
    const auto count = static_cast<double>(first.size() - lag);
    CHECK(std::abs(same - count / 2) < 5 * std::sqrt(count) / 2);
  }
}

TEST_CASE("dropout kernel: p = 0 keeps all, exactly, in place works", "[unit]") {
  const Tensor x = uniform({1000}, 1, -1, 1);
  const Tensor y({1000}, DType::f32);
  kernels::dropout(x, y, 0, RandomKey(1));
  CHECK(identical(x, y));
  kernels::dropout(x, y, 0.3, RandomKey(1));
  const Tensor in_place = x.clone();
  kernels::dropout(in_place, in_place, 0.3, RandomKey(1));
  CHECK(identical(in_place, y));
}

TEST_CASE("dropout kernel: draws are xoshiro128++'s, from states that Philox makes", "[unit]") {
  // Element 8192 b + 64 step + 32 half + lane is a half-word of the step-th value of generator
  // `lane`, whose state is the Philox block with counter 32 b + lane.
  const RandomKey key(9);
  constexpr std::size_t n = 20000;
  const std::vector<float> y = dropped(n, 0.5, 9);
  const auto turned = [](std::uint32_t x, unsigned k) { return (x << k) | (x >> (32U - k)); };
  for (std::size_t begin = 0; begin < n; begin += 8192) {
    for (std::size_t lane = 0; lane < 32; ++lane) {
      auto s = philox({static_cast<std::uint32_t>(begin / 8192 * 32 + lane), 0, 0, 0}, key.value());
      for (std::size_t i = begin + lane; i < std::min(n, begin + 8192); i += 64) {
        const std::uint32_t value = turned(s[0] + s[3], 7) + s[0];
        const std::uint32_t t = s[1] << 9U;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = turned(s[3], 11);
        if ((y[i] != 0) != ((value & 0xFFFFU) >= 32768)) FAIL("element " << i);
        if (i + 32 < n && (y[i + 32] != 0) != ((value >> 16U) >= 32768)) FAIL("element " << i + 32);
      }
    }
  }
}

TEST_CASE("dropout_mask: dropout's mask without its scale, exactly", "[unit]") {
  for (const DType type : {DType::f32, DType::bf16}) {
    const Tensor x = uniform({9001}, 1, 1, 2, type);
    const Tensor scaled({9001}, type);
    const Tensor kept({9001}, type);
    const Tensor mask({9001}, type);
    kernels::dropout(x, scaled, 0.3, RandomKey(2));
    kernels::dropout_mask(x, kept, mask, 0.3, RandomKey(2));
    const std::vector<float> from = x.to_floats();
    bool equal = true;
    const std::vector<float> s = scaled.to_floats();
    const std::vector<float> k = kept.to_floats();
    const std::vector<float> m = mask.to_floats();
    for (std::size_t i = 0; i < from.size(); ++i) {
      equal = equal && m[i] == (s[i] != 0 ? 1.0F : 0.0F) && k[i] == from[i] * m[i];
    }
    CHECK(equal);
    kernels::dropout_mask(x, x, Tensor(), 0.3, RandomKey(2));
    CHECK(identical(x, kept));
  }
  CHECK(kernels::dropout_share(0.25) == 0.75);
  CHECK(kernels::dropout_share(0.9999999) > 0);
}

}  // namespace lra::engine::testing

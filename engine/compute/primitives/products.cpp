#include "engine/compute/primitives/products.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>

#include "engine/compute/primitives/primitives.h"

namespace lra::engine::primitives {
namespace {

using Clock = std::chrono::steady_clock;

std::atomic<bool> products_are_counted{false};
std::mutex products_mutex;

std::map<ProductShape, std::int64_t>& product_table() {
  static std::map<ProductShape, std::int64_t> table;
  return table;
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The best of kTries tries of kTrySeconds each, in units of `unit` per second.
template <class F>
double best_rate(double unit, F&& call) {
  constexpr int kTries = 5;
  constexpr double kTrySeconds = 1e-3;
  call();  // compiles, and brings the operands into the cache
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto start = Clock::now();
    int calls = 0;
    double seconds = 0;
    do {
      call();
      ++calls;
      seconds = seconds_since(start);
    } while (seconds < kTrySeconds);
    best = std::max(best, unit * calls / seconds);
  }
  return best;
}

Tensor filled(const Shape& shape, DType type) {
  return Tensor::from(shape, std::vector<float>(static_cast<std::size_t>(shape.numel()), 0.5F),
                      type);
}

View operand(const Tensor& tensor, bool is_transposed) {
  return is_transposed ? transposed(view(tensor)) : view(tensor);
}

}  // namespace

std::int64_t ProductShape::bytes() const {
  const auto size = [](DType type) { return static_cast<std::int64_t>(size_of(type)); };
  return size(operands) * (batch * m * k + (shared_b ? 1 : batch) * k * n) +
         size(result) * batch * m * n;
}

void count_products(bool on) {
  const std::scoped_lock lock(products_mutex);
  if (on) product_table().clear();
  products_are_counted = on;
}

bool counting_products() { return products_are_counted.load(std::memory_order_relaxed); }

void count_product(const ProductShape& shape) {
  const std::scoped_lock lock(products_mutex);
  ++product_table()[shape];
}

std::vector<ProductCount> counted_products() {
  const std::scoped_lock lock(products_mutex);
  std::vector<ProductCount> counts;
  for (const auto& [shape, calls] : product_table()) counts.push_back({shape, calls});
  std::stable_sort(counts.begin(), counts.end(), [](const ProductCount& a, const ProductCount& b) {
    return a.calls * a.shape.flops() > b.calls * b.shape.flops();
  });
  return counts;
}

ProductShape fitting(ProductShape shape, std::int64_t bytes) {
  while (shape.bytes() > bytes) {
    std::int64_t* size = &shape.batch;
    if (shape.batch == 1) {
      size = std::max({&shape.m, &shape.n, &shape.k},
                      [](const auto* a, const auto* b) { return *a < *b; });
    }
    if (*size == 1) break;
    *size = (*size + 1) / 2;
  }
  return shape;
}

double measure_product(const ProductShape& s) {
  const std::int64_t b_batch = s.shared_b ? 1 : s.batch;
  const Tensor a =
      filled(s.a_transposed ? Shape{s.batch, s.k, s.m} : Shape{s.batch, s.m, s.k}, s.operands);
  const Tensor b =
      filled(s.b_transposed ? Shape{b_batch, s.n, s.k} : Shape{b_batch, s.k, s.n}, s.operands);
  const Tensor c = Tensor::zeros({s.batch, s.m, s.n}, s.result);
  const Tensor offsets = Tensor::full({1, 1, s.n}, 0.5F);
  const View bias = view(offsets);
  const auto rate = [&](std::span<const PostOp> post_ops, const View* added) {
    return best_rate(static_cast<double>(s.flops()), [&] {
      matmul(operand(a, s.a_transposed), operand(b, s.b_transposed), view(c), post_ops, added);
    });
  };
  const std::array<PostOp, 1> sum{accumulate()};
  return std::max({rate({}, nullptr), rate({}, &bias), rate(sum, nullptr)});
}

double measure_bandwidth() {
  constexpr std::size_t kBytes = std::size_t{64} << 20;
  const std::vector<std::byte> from(kBytes, std::byte{1});
  std::vector<std::byte> to(kBytes);
  return best_rate(2.0 * kBytes, [&] { std::memcpy(to.data(), from.data(), kBytes); });
}

std::int64_t level2_bytes() {
  const auto bytes = static_cast<std::int64_t>(::sysconf(_SC_LEVEL2_CACHE_SIZE));
  return bytes > 0 ? bytes : std::int64_t{512} << 10;
}

}  // namespace lra::engine::primitives

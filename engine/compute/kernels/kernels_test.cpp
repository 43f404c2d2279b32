#include "engine/compute/kernels/kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/compute/kernels/small_products.h"
#include "engine/compute/primitives/primitives.h"
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

TEST_CASE("add_to: every pair of types, every length around a vector register", "[unit]") {
  for (const std::int64_t n : {0, 1, 15, 16, 17, 67}) {
    for (const DType from : {DType::f32, DType::bf16}) {
      for (const DType to : {DType::f32, DType::bf16}) {
        const Tensor x = uniform({n}, 1, -1, 1, from);
        const Tensor y = uniform({n}, 2, -1, 1, to);
        Array expected = to_array(y);
        for (std::size_t i = 0; i < expected.values.size(); ++i) {
          expected.values[i] += static_cast<double>(x.to_floats()[i]);
        }
        kernels::add_to(x, y);
        CHECK(error(to_array(y).values, expected.values, 1) <= (to == DType::f32 ? 1e-7 : 4e-3));
      }
    }
  }
}

TEST_CASE("zero_rows: the rows from n on of every matrix, and only those", "[unit]") {
  for (const DType type : {DType::f32, DType::bf16}) {
    const Tensor x = Tensor::full({2, 3, 2}, 5, type);
    kernels::zero_rows(x, 2);
    CHECK(x.to_floats() == std::vector<float>{5, 5, 5, 5, 0, 0, 5, 5, 5, 5, 0, 0});
    kernels::zero_rows(x, 3);
    CHECK(x.to_floats()[0] == 5);
    kernels::zero_rows(x, 0);
    CHECK(x.to_floats() == std::vector<float>(12, 0.0F));
    CHECK_NOTHROW(kernels::zero_rows(Tensor::zeros({3, 0}, type), 1));
    CHECK_NOTHROW(kernels::zero_rows(Tensor::zeros({0, 3}, type), 1));
  }
}

TEST_CASE("swap_axes: every row once, long axis first or last, any width", "[unit]") {
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const std::int64_t D : {1, 3, 8, 16, 32, 33, 64}) {
      for (const auto& [A, B] : {std::pair<int, int>{5, 2}, {2, 5}, {1, 7}, {4, 4}, {0, 3}}) {
        const Tensor x = uniform({A, B, D}, 1, -1, 1, type);
        const Tensor y({B, A, D}, type);
        kernels::swap_axes(x, y);
        const Array from = to_array(x);
        const Array to = to_array(y);
        bool equal = true;
        for (std::int64_t a = 0; a < A; ++a) {
          for (std::int64_t b = 0; b < B; ++b) {
            for (std::int64_t d = 0; d < D; ++d)
              equal = equal && to.at({b, a, d}) == from.at({a, b, d});
          }
        }
        CHECK(equal);
      }
    }
  }
}

TEST_CASE("column_sums: any number of rows and columns, added or anew", "[unit]") {
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const std::int64_t R : {0, 1, 3, 4, 63, 64, 65, 1000}) {
      for (const std::int64_t C : {1, 5, 16, 40}) {
        const Tensor x = uniform({R, C}, 1, -1, 1, type);
        const std::vector<float> values = x.to_floats();
        std::vector<double> expected(static_cast<std::size_t>(C), 0.0);
        for (std::size_t i = 0; i < values.size(); ++i) {
          expected[i % static_cast<std::size_t>(C)] += double{values[i]};
        }
        const Tensor sum = Tensor::full({C}, 2);
        kernels::column_sums(x, false, sum.f32());
        CHECK(error(to_array(sum).values, expected, 1) <= 1e-5);
        kernels::column_sums(x, true, sum.f32());
        for (double& e : expected) e *= 2;
        CHECK(error(to_array(sum).values, expected, 1) <= 2e-5);
      }
    }
  }
  // Rounding grows with the partial sums, not with the rows: 2^20 times 0.1 in f32.
  const Tensor many = Tensor::full({1 << 20, 1}, 0.1F);
  float sum = 0;
  kernels::column_sums(many, false, &sum);
  CHECK(sum == Approx((1 << 20) * double{0.1F}).epsilon(1e-3));
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

TEST_CASE("embed: rows of the table plus positions, zero rows behind", "[unit]") {
  const Tensor table = Tensor::from({3, 2}, std::vector<float>{1, 2, 10, 20, 100, 200});
  const Tensor positions = Tensor::from({3, 2}, std::vector<float>{0.5F, 0, 0.25F, 0, 9, 9});
  const std::vector<std::int32_t> ids{2, 0};
  for (const DType type : {DType::f32, DType::bf16}) {
    const Tensor y = Tensor::full({4, 2}, -1, type);
    kernels::embed(table, positions, ids, y);
    CHECK(y.to_floats() == std::vector<float>{100.5F, 200, 1.25F, 2, 0, 0, 0, 0});
    kernels::embed(table, Tensor(), ids, y);
    CHECK(y.to_floats() == std::vector<float>{100, 200, 1, 2, 0, 0, 0, 0});
    const Tensor dy = Tensor::from({4, 2}, std::vector<float>{1, 2, 3, 4, 7, 7, 7, 7}, type);
    const Tensor dtable = Tensor::full({3, 2}, 1);
    const Tensor dpositions = Tensor::zeros({3, 2});
    kernels::embed_backward(dy, ids, dtable, dpositions);
    CHECK(dtable.to_floats() == std::vector<float>{4, 5, 1, 1, 2, 3});
    CHECK(dpositions.to_floats() == std::vector<float>{1, 2, 3, 4, 0, 0});
    kernels::embed_backward(dy, ids, dtable, Tensor());
    CHECK(dtable.to_floats() == std::vector<float>{7, 9, 1, 1, 3, 5});
  }
}

TEST_CASE("cumulative sum kernel: along the middle axis, from either end", "[unit]") {
  const Tensor x =
      Tensor::from({2, 3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const Tensor y({2, 3, 2}, DType::f32);
  kernels::cumulative_sum(x, 2, 3, 2, false, y);
  CHECK(y.to_floats() == std::vector<float>{1, 2, 4, 6, 9, 12, 7, 8, 16, 18, 27, 30});
  kernels::cumulative_sum(x, 2, 3, 2, true, y);
  CHECK(y.to_floats() == std::vector<float>{9, 12, 8, 10, 5, 6, 27, 30, 20, 22, 11, 12});
  kernels::cumulative_sum(x, 1, 12, 1, false, y);
  CHECK(y.to_floats()[11] == 78);
}

TEST_CASE("softmax backward kernel: equals the definition, in place too, short rows and long",
          "[unit]") {
  for (const std::int64_t n : {1, 5, 8, 37, 300}) {
    for (const bool log : {false, true}) {
      INFO(n << (log ? " log" : ""));
      const std::int64_t rows = 3;
      const Tensor y = uniform({rows, n}, 1, log ? -5 : 0, log ? -0.01 : 1, DType::f32);
      const Tensor dy = uniform({rows, n}, 2, -1, 1, DType::f32);
      const Tensor in_place = dy.clone();
      kernels::softmax_backward(log, y, in_place, in_place);
      const Tensor apart({rows, n}, DType::f32);
      kernels::softmax_backward(log, y, dy, apart);
      for (std::int64_t r = 0; r < rows; ++r) {
        double sum = 0;
        for (std::int64_t j = r * n; j < (r + 1) * n; ++j) {
          sum += (log ? 1.0 : double{y.f32()[j]}) * dy.f32()[j];
        }
        for (std::int64_t j = r * n; j < (r + 1) * n; ++j) {
          const double expected = log ? dy.f32()[j] - std::exp(double{y.f32()[j]}) * sum
                                      : y.f32()[j] * (dy.f32()[j] - sum);
          CHECK(in_place.f32()[j] == Approx(expected).margin(1e-5));
          CHECK(apart.f32()[j] == Approx(expected).margin(1e-5));
        }
      }
    }
  }
}

namespace {

// The largest difference of two tensors, over the largest entry of the second.
double distance(const Tensor& a, const Tensor& b) {
  const std::vector<double> expected = to_array(b).values;
  return error(to_array(a).values, expected, largest(expected));
}

}  // namespace

TEST_CASE("activation kernels: equal oneDNN's and their definitions, any length, in place",
          "[unit]") {
  using primitives::Unary;
  for (const std::int64_t n : {1, 7, 8, 31, 32, 33, 100, 1000}) {
    const Tensor x = uniform({n}, 1, -6, 6);
    const Tensor dy = uniform({n}, 2, -1, 1);
    const Tensor ones = Tensor::full({n}, 1);
    const auto like = [&] { return Tensor({n}, DType::f32); };
    INFO(n << " numbers");
    for (const bool erf : {true, false}) {
      const Unary f = erf ? Unary::gelu_erf : Unary::gelu_tanh;
      const kernels::Gelu form = erf ? kernels::Gelu::erf : kernels::Gelu::tanh;
      const Tensor y = like(), slope = like(), expected = like(), expected_slope = like();
      primitives::unary(f, x, expected);
      primitives::unary_backward(f, x, ones, expected_slope);
      kernels::gelu(form, x, y, slope);
      CHECK(distance(y, expected) < 2e-6);
      CHECK(distance(slope, expected_slope) < 4e-6);
      const Tensor place = x.clone();
      kernels::gelu(form, place, y, place);
      CHECK(identical(place, slope));
      kernels::gelu(form, x, place, {});
      CHECK(identical(place, y));
      for (std::int64_t i = 0; i < n; ++i) {
        const double v = x.f32()[i];
        const double root = std::sqrt(2 / std::acos(-1.0));
        const double u = root * (v + 0.044715 * v * v * v);
        const double phi = erf ? 0.5 * std::erfc(-v / std::sqrt(2.0)) : 1 / (1 + std::exp(-2 * u));
        const double density = erf ? 0.5 * root * std::exp(-v * v / 2)
                                   : 2 * phi * (1 - phi) * root * (1 + 3 * 0.044715 * v * v);
        CHECK(y.f32()[i] == Approx(v * phi).epsilon(3e-7).margin(4e-7));
        CHECK(slope.f32()[i] == Approx(phi + v * density).epsilon(3e-7).margin(4e-7));
      }
    }
    const Tensor y = like(), dx = like();
    kernels::exponentiate(x, y);
    for (std::int64_t i = 0; i < n; ++i) {
      CHECK(y.f32()[i] == Approx(std::exp(double{x.f32()[i]})).epsilon(3e-7));
    }
    kernels::elu_plus_one(x, y);
    kernels::elu_plus_one_backward(y, dy, dx);
    for (std::int64_t i = 0; i < n; ++i) {
      const double v = x.f32()[i];
      CHECK(y.f32()[i] == Approx(v > 0 ? v + 1 : std::exp(v)).epsilon(3e-7));
      CHECK(dx.f32()[i] == Approx(dy.f32()[i] * (v > 0 ? 1 : std::exp(v))).epsilon(3e-7));
    }
  }
}

TEST_CASE("activation kernels: far arguments and NaN", "[unit]") {
  const float inf = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::from({7}, std::vector<float>{-1e30F, -200, -87, 0, 60, -inf, NAN});
  const Tensor y({7}, DType::f32);
  const Tensor slope({7}, DType::f32);
  kernels::exponentiate(x, y);
  const std::vector<float> e = y.to_floats();
  CHECK(std::vector<float>(e.begin(), e.begin() + 4) == std::vector<float>{0, 0, 0, 1});
  CHECK(e[4] == Approx(std::exp(60.0)).epsilon(3e-7));
  CHECK(e[5] == 0);
  CHECK(std::isnan(e[6]));
  for (const kernels::Gelu form : {kernels::Gelu::erf, kernels::Gelu::tanh}) {
    kernels::gelu(form, x, y, slope);
    CHECK(std::abs(y.f32()[1]) < 1e-30F);
    CHECK(std::abs(slope.f32()[1]) < 1e-25F);
    CHECK(y.f32()[4] == 60);
    CHECK(slope.f32()[4] == 1);
    CHECK(std::isnan(y.f32()[6]));
  }
  kernels::elu_plus_one(x, y);
  CHECK(y.f32()[0] == 0);
  CHECK(y.f32()[4] == 61);
  CHECK(std::isnan(y.f32()[6]));
}

TEST_CASE("layer norm kernel: equals oneDNN's, any number of rows and columns", "[unit]") {
  for (const std::int64_t rows : {1, 3, 4, 67, 130}) {
    for (const std::int64_t C : {1, 5, 8, 64, 77}) {
      INFO(rows << " rows of " << C);
      const Tensor x = uniform({rows, C}, 1, -2, 3);
      const Tensor dy = uniform({rows, C}, 2, -1, 1);
      const Tensor gamma = uniform({C}, 3, 0.5, 1.5);
      const Tensor beta = uniform({C}, 4, -1, 1);
      struct Result {
        Tensor y, mean, variance, dx, dgamma, dbeta;
      };
      const auto make = [&] {
        return Result{Tensor({rows, C}, DType::f32), Tensor({rows}, DType::f32),
                      Tensor({rows}, DType::f32),    Tensor({rows, C}, DType::f32),
                      Tensor({C}, DType::f32),       Tensor({C}, DType::f32)};
      };
      const Result a = make();
      const Result b = make();
      kernels::layer_norm(x, gamma, beta, 0.1F, a.y, a.mean, a.variance);
      kernels::layer_norm_backward(x, gamma, a.mean, a.variance, 0.1F, dy, a.dx, a.dgamma, a.dbeta);
      primitives::layer_norm(x, gamma, beta, 0.1F, b.y, b.mean, b.variance);
      primitives::layer_norm_backward(x, gamma, b.mean, b.variance, 0.1F, dy, b.dx, b.dgamma,
                                      b.dbeta);
      CHECK(distance(a.y, b.y) < 2e-6);
      CHECK(distance(a.mean, b.mean) < 2e-6);
      CHECK(distance(a.variance, b.variance) < 2e-6);
      // A row of one number has no gradient: what is there is rounding.
      const double scale = C == 1 ? largest(to_array(dy).values) : largest(to_array(b.dx).values);
      CHECK(error(to_array(a.dx).values, to_array(b.dx).values, scale) < 4e-6);
      CHECK(distance(a.dgamma, b.dgamma) < 4e-6);
      CHECK(distance(a.dbeta, b.dbeta) < 4e-6);
    }
  }
}

TEST_CASE("division kernel: rows over their divisors, and back", "[unit]") {
  for (const std::int64_t C : {2, 8, 13, 32}) {
    const Tensor x = uniform({2, 5, C}, 1, -1, 1);
    const Tensor d = uniform({2, 5, 1}, 2, 0.5, 2);
    const Tensor dy = uniform({2, 5, C}, 3, -1, 1);
    const Tensor y(x.shape(), DType::f32), dx(x.shape(), DType::f32), dd(d.shape(), DType::f32);
    kernels::divide_rows(x, d, y);
    kernels::divide_rows_backward(y, d, dy, dx, dd);
    for (std::int64_t r = 0; r < 10; ++r) {
      double sum = 0;
      const double divisor = d.f32()[r];
      for (std::int64_t c = r * C; c < (r + 1) * C; ++c) {
        CHECK(y.f32()[c] == Approx(x.f32()[c] / divisor).epsilon(3e-7));
        CHECK(dx.f32()[c] == Approx(dy.f32()[c] / divisor).epsilon(3e-7));
        sum -= double{dy.f32()[c]} * y.f32()[c] / divisor;
      }
      CHECK(dd.f32()[r] == Approx(sum).margin(2e-6));
    }
  }
}

TEST_CASE("sum_of_squares: in double, any length and type", "[unit]") {
  for (const std::int64_t n : {0, 1, 16, 33, 1000}) {
    for (const DType type : {DType::f32, DType::bf16}) {
      const Tensor x = uniform({n}, 1, -3, 3, type);
      double expected = 0;
      for (const float v : x.to_floats()) expected += static_cast<double>(v) * v;
      CHECK(kernels::sum_of_squares(x) == Approx(expected).epsilon(1e-12));
    }
  }
  CHECK(kernels::sum_of_squares(Tensor::full({2}, 3e38F)) > 1e77);  // beyond f32
}

TEST_CASE("has_nonfinite: finds NaN and infinities anywhere", "[unit]") {
  for (const DType type : {DType::f32, DType::bf16}) {
    for (const float bad :
         {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
          -std::numeric_limits<float>::infinity()}) {
      for (const std::size_t at : {0U, 17U, 66U}) {
        std::vector<float> values(67, 1.0F);
        CHECK(!kernels::has_nonfinite(Tensor::from({67}, values, type)));
        values[at] = bad;
        CHECK(kernels::has_nonfinite(Tensor::from({67}, values, type)));
      }
    }
    CHECK(!kernels::has_nonfinite(Tensor::zeros({0}, type)));
  }
}

TEST_CASE("small products: every part, both orders of the left factor, added or set", "[unit]") {
  using kernels::Part;
  constexpr std::int64_t m = 8;
  constexpr std::int64_t K = 11;
  for (const std::int64_t n : {16, 32, 48}) {
    for (const Part part : {Part::all, Part::lower, Part::upper}) {
      for (const bool transposed : {false, true}) {
        for (const bool add : {false, true}) {
          std::vector<float> a = uniform({m, K}, 1, -1, 1).to_floats();
          const std::vector<float> b = uniform({K, n}, 2, -1, 1).to_floats();
          std::vector<float> c = uniform({m, n}, 3, -1, 1).to_floats();
          const auto at = [&](std::int64_t i, std::int64_t k) -> float& {
            return a[static_cast<std::size_t>(transposed ? k * m + i : i * K + k)];
          };
          std::vector<double> expected(c.begin(), c.end());
          for (std::int64_t i = 0; i < m; ++i) {
            for (std::int64_t k = 0; k < K; ++k) {
              if ((part == Part::lower && k > i) || (part == Part::upper && k < i)) at(i, k) = 0;
            }
            for (std::int64_t j = 0; j < n; ++j) {
              double& sum = expected[static_cast<std::size_t>(i * n + j)];
              if (!add) sum = 0;
              for (std::int64_t k = 0; k < K; ++k) {
                sum += double{at(i, k)} * double{b[static_cast<std::size_t>(k * n + j)]};
              }
            }
          }
          kernels::small_product({m, n, K, a.data(), transposed ? 1 : K, transposed ? m : 1,
                                  b.data(), c.data(), add, part});
          for (std::size_t i = 0; i < c.size(); ++i) {
            CHECK(double{c[i]} == Approx(expected[i]).margin(1e-5));
          }
        }
      }
    }
  }
}

TEST_CASE("small transpose: rows become columns", "[unit]") {
  constexpr std::int64_t R = 16;
  constexpr std::int64_t C = 24;
  const std::vector<float> x = uniform({R, C}, 1, -1, 1).to_floats();
  std::vector<float> t(x.size());
  kernels::small_transpose(x.data(), R, C, t.data());
  for (std::int64_t r = 0; r < R; ++r) {
    for (std::int64_t c = 0; c < C; ++c) {
      CHECK(t[static_cast<std::size_t>(c * R + r)] == x[static_cast<std::size_t>(r * C + c)]);
    }
  }
}

}  // namespace lra::engine::testing

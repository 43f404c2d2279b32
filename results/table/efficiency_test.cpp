#include "results/table/efficiency.h"

#include "results/record/testing.h"
#include "tests/catch.h"

using lra::results::BenchRecord;
using lra::results::render_efficiency;
using lra::results::testing::sample_bench;
using lra::testing::ContainsSubstring;

TEST_CASE("efficiency: ratios to softmax at the same length, of speed and memory", "[unit]") {
  const std::vector<BenchRecord> benches{sample_bench("softmax", 2, 50),
                                         sample_bench("linear", 1, 100)};
  const std::string text = render_efficiency(benches);
  // 100 ms at 1K against 50, equal at 2K, twice as fast at 4K.
  CHECK_THAT(text, ContainsSubstring("10.000 (0.50x) | 5.000 (1.00x) | 2.500 (2.00x) |"));
  CHECK_THAT(text, ContainsSubstring("20.000 (1.00x) | 5.000 (1.00x) | 1.250 (1.00x) |"));
  CHECK_THAT(text, ContainsSubstring("21.0 (1.00x) | 41.9 (0.50x) | 83.9 (0.25x) |"));
  CHECK_THAT(text, ContainsSubstring("| 1K | 2K | 4K |"));
}

TEST_CASE("efficiency: the rows of some attentions keep their ratio to softmax", "[unit]") {
  const std::vector<BenchRecord> benches{sample_bench("softmax", 2, 50),
                                         sample_bench("linear", 1, 100)};
  const std::string text = render_efficiency(benches, {"linear"});
  CHECK_THAT(text,
             ContainsSubstring("| linear | 10.000 (0.50x) | 5.000 (1.00x) | 2.500 (2.00x) |"));
  CHECK_THAT(text, !ContainsSubstring("| softmax |"));
  CHECK_THROWS_WITH(render_efficiency(benches, {"linaer"}),
                    ContainsSubstring("unknown attention 'linaer'; did you mean linear"));
}

TEST_CASE("efficiency: one length is one table, the fastest first", "[unit]") {
  std::vector<BenchRecord> benches{sample_bench("softmax", 2, 50), sample_bench("linear", 1, 100)};
  for (BenchRecord& bench : benches) bench.points.resize(1);
  benches[0].points[0].tokens_per_second = 2000;
  benches[1].points[0].tokens_per_second = 5000;
  benches[1].points[0].matmul_share = 0.75;
  benches[0].points[0].matmul_share = std::nullopt;
  const std::string text = render_efficiency(benches);
  CHECK_THAT(text, ContainsSubstring("| n = 1K | tokens/s ↑ | peak tensor memory ↓ (MB) | outside "
                                     "products (%) |"));
  const std::size_t first = text.find("5000 (2.50x) |"), second = text.find("2000 (1.00x) |");
  CHECK(first < second);
  CHECK(second < text.size());
  CHECK_THAT(text, ContainsSubstring("| 25 |"));
  CHECK_THAT(text, ContainsSubstring("| — |"));
}

TEST_CASE("efficiency: missing is missing, out of memory is said, neither has a ratio", "[unit]") {
  std::vector<BenchRecord> benches{sample_bench("softmax", 2, 50), sample_bench("linear", 1, 100)};
  auto& lost = benches[0].points[2];
  lost = {};
  lost.n = 4096;
  lost.status = lra::results::PointStatus::out_of_memory;
  benches[1].points.erase(benches[1].points.begin());
  const std::string text = render_efficiency(benches);
  CHECK_THAT(text, ContainsSubstring("| — | 5.000 (1.00x) | 2.500 |"));
  CHECK_THAT(text, ContainsSubstring("5.000 (1.00x) | out-of-memory |"));
}

TEST_CASE("efficiency: training and inference are tables of their own", "[unit]") {
  const std::string text =
      render_efficiency({sample_bench("softmax", 2, 50),
                         sample_bench("softmax", 2, 20, lra::results::BenchMode::infer)});
  CHECK_THAT(text, ContainsSubstring("Training: preset"));
  CHECK_THAT(text, ContainsSubstring("Inference: preset"));
  CHECK_THAT(text, ContainsSubstring("50.000 (1.00x)"));
}

TEST_CASE("efficiency: the share of the machine's limit, where it was measured", "[unit]") {
  std::vector<BenchRecord> benches{sample_bench("softmax", 2, 50), sample_bench("linear", 1, 100)};
  CHECK(render_efficiency(benches).find("limit") == std::string::npos);
  benches[1].points[0].limit_ms = 40;  // of 100 ms
  const std::string text = render_efficiency(benches);
  CHECK_THAT(text, ContainsSubstring("share of the machine's limit ↑ (%) | 1K | 2K | 4K |"));
  CHECK_THAT(text, ContainsSubstring("| 40 | — | — |"));
}

TEST_CASE("efficiency: what was worked out for other numbers of cores, a table a length",
          "[unit]") {
  std::vector<BenchRecord> benches{sample_bench("softmax", 2, 50), sample_bench("linear", 1, 100)};
  CHECK(render_efficiency(benches).find("cores |") == std::string::npos);
  const auto batch = static_cast<double>(benches[0].batch);
  benches[0].points[0].on_cores = {{1, 1024 * batch}, {16, 80 * batch}};  // 1,000 tokens/s on one
  benches[1].points[0].on_cores = {{16, 64 * batch}};
  const std::string text = render_efficiency(benches);
  CHECK_THAT(text, ContainsSubstring("efficiency) | 1 core | 16 cores |"));
  CHECK_THAT(text, ContainsSubstring("| 1000 (100 %) | 12800 (80 %) |"));
  CHECK_THAT(text, ContainsSubstring("| — | 16000 |"));
  CHECK(text.find("n = 2K, worked out") == std::string::npos);
}

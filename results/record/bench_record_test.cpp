#include "results/record/bench_record.h"

#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "results/record/testing.h"
#include "tests/catch.h"

using lra::results::OnFault;
using lra::results::testing::sample_bench;
using lra::results::testing::sample_record;
using lra::testing::ContainsSubstring;
using nlohmann::json;
namespace fs = std::filesystem;
namespace results = lra::results;

TEST_CASE("bench record: JSON and back, faults named", "[unit]") {
  auto bench = sample_bench("softmax", 2, 50);
  bench.points.push_back(
      {8192, results::PointStatus::out_of_memory, {}, {}, {}, {}, {}, {}, {}, {}, {}});
  const json once = results::to_json(bench);
  CHECK(results::to_json(results::bench_from_json(once, "b")) == once);
  CHECK(once["points"][1]["step_ms"]["median"] == 200);
  CHECK(once["points"][3]["tokens_per_second"].is_null());
  CHECK_FALSE(once["points"][1].contains("limit_ms"));
  CHECK_FALSE(once["points"][1].contains("on_cores"));
  bench.points[1].limit_ms = 50;
  bench.points[1].on_cores = {{8, 12.5}, {32, 4}};
  const json limited = results::to_json(bench);
  CHECK(limited["points"][1]["limit_ms"] == 50);
  CHECK(limited["points"][1]["on_cores"][1] == json{{"cores", 32}, {"step_ms", 4.0}});
  CHECK(results::to_json(results::bench_from_json(limited, "b")) == limited);
  json wrong = once;
  wrong["points"][0]["n"] = 0;
  CHECK_THROWS_WITH(results::bench_from_json(wrong, "b.json"),
                    ContainsSubstring("b.json: /points/0/n: out of range; got 0"));
  wrong = once;
  wrong["mode"] = "both";
  CHECK_THROWS_WITH(results::bench_from_json(wrong, "b.json"),
                    ContainsSubstring("b.json: /mode: got \"both\""));
  bench.batch = 0;
  CHECK_THROWS_WITH(results::to_json(bench), ContainsSubstring("/batch: out of range; got 0"));
}

TEST_CASE("bench record: files and curves are found and read", "[unit]") {
  const fs::path folder = fs::temp_directory_path() / fmt::format("lra-bench-{}", ::getpid());
  const json bench = results::to_json(sample_bench("softmax", 2, 50));
  lra::write_json(folder / "bench.json", bench);
  lra::write_json(folder / "sub" / "bench-linear.json", bench);
  lra::write_file_atomic(folder / "bench-bad.json", "{}");
  const auto loaded = results::load_benches({folder}, OnFault::skip);
  CHECK(loaded.records.size() == 2);
  REQUIRE(loaded.faults.size() == 1);
  CHECK_THAT(loaded.faults[0].message, ContainsSubstring("bench-bad.json"));
  CHECK_THROWS_AS(results::load_benches({folder}, OnFault::refuse), lra::Error);

  auto run = sample_record();
  run.file = folder / "result.json";
  CHECK(results::load_curve(run).empty());
  lra::write_file_atomic(folder / "metrics.jsonl",
                         R"({"step": 10, "split": "train", "loss": 2.2, "lr": 0.001})"
                         "\n"
                         R"({"step": 10, "split": "val", "loss": 2.1, "accuracy": 0.17})"
                         "\n"
                         R"({"step": 20, "split": "tra)");
  const auto curve = results::load_curve(run);
  REQUIRE(curve.size() == 2);
  CHECK(curve[0].loss == 2.2);
  CHECK_FALSE(curve[0].accuracy.has_value());
  CHECK(curve[1].accuracy == 0.17);
  lra::write_file_atomic(folder / "metrics.jsonl", "{\"step\": 1}\n");
  CHECK_THROWS_WITH(results::load_curve(run),
                    ContainsSubstring("metrics.jsonl:1: /split: is missing"));
  lra::write_file_atomic(folder / "metrics.jsonl",
                         R"({"step": 10, "split": "train", "loss": 2.2, "lr": 0.001})"
                         "\n"
                         R"({"step": 20, "split": "train", "loss": nan})"
                         "\n");
  CHECK_THROWS_WITH(results::load_curve(run), ContainsSubstring("metrics.jsonl:2:41: got nan"));
  fs::remove_all(folder);
}

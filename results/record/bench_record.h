#pragma once
// Typed views of two further kinds of result files: bench.json (speed and memory of
// one attention over sequence lengths) and metrics.jsonl (a run's learning curve).

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "results/record/load.h"
#include "results/record/record.h"

namespace lra::results {

inline constexpr std::string_view kBenchSchema = "lra-bench/1";

// Quantiles of the time of a step over `count` repetitions, in milliseconds.
struct StepQuantiles {
  double median = 0, p10 = 0, p25 = 0, p75 = 0, p90 = 0;
  std::int64_t count = 0;
};

// Predicted time of a step on this number of cores, from its parts measured on fewer.
struct CoresPoint {
  std::int64_t cores = 1;
  double step_ms = 0;
};

enum class BenchMode { train, infer };
constexpr auto texts(BenchMode) { return enum_texts("train", "infer"); }
enum class PointStatus { completed, out_of_memory, failed };
constexpr auto texts(PointStatus) { return enum_texts("completed", "out-of-memory", "failed"); }

struct BenchPoint {
  std::int64_t n = 0;  // sequence length
  PointStatus status = PointStatus::completed;
  std::optional<StepQuantiles> step_ms;
  Real steps_per_second;
  Real tokens_per_second;
  Count peak_tensor_bytes;
  Count peak_rss_bytes;
  Real flops_per_token;
  Real matmul_share;  // of the threads' time, spent in matrix products
  Real limit_ms;      // the least time of a step on this machine (roofline); none: not measured
  std::vector<CoresPoint> on_cores;
};

struct BenchRecord {
  AttentionPart attention;
  std::string preset;
  Precision precision = Precision::f32;
  BenchMode mode = BenchMode::train;
  std::int64_t batch = 1;
  Real mean_tokens;  // a sequence, where the batch has several lengths up to n; none: n
  Count parameters;
  Timing measured = Timing::exclusive;
  std::string started;  // UTC
  Environment environment;
  std::vector<BenchPoint> points;

  std::filesystem::path file;  // source file; not part of the JSON
};

// Tokens of a step at length n.
[[nodiscard]] double step_tokens(const BenchRecord& record, std::int64_t n);

// Conversions as for a Record, schema-checked both ways.
[[nodiscard]] nlohmann::json to_json(const BenchRecord& record);
[[nodiscard]] BenchRecord bench_from_json(const nlohmann::json& value, std::string_view where);
// A single point in the form of a record. Throws nlohmann::json::exception for malformed JSON.
[[nodiscard]] nlohmann::json to_json(const BenchPoint& point);
[[nodiscard]] BenchPoint bench_point_from_json(const nlohmann::json& value);

struct LoadedBenches {
  std::vector<BenchRecord> records;  // sorted by file path
  std::vector<FileFault> faults;     // under OnFault::skip
};

// Reads bench.json and bench-*.json under the places; an empty set is not an error.
[[nodiscard]] LoadedBenches load_benches(const std::vector<std::filesystem::path>& places,
                                         OnFault on_fault);

struct CurvePoint {
  std::int64_t step = 0;
  std::string split;  // "train", "val", "test"
  Real loss;
  Real accuracy;  // fraction
};

// The curve of a run that was read from a file; empty if the record names no curve or the file is
// missing. A last line truncated when the process was killed is left out; any other fault is
// Error(data) with file and line.
[[nodiscard]] std::vector<CurvePoint> load_curve(const Record& record);
// The same from the text of metrics.jsonl; `name` starts the message of an error.
[[nodiscard]] std::vector<CurvePoint> parse_curve(std::string_view text, const std::string& name);

}  // namespace lra::results

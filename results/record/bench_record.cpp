#include "results/record/bench_record.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/json_schema.h"
#include "results/record/fields.h"

namespace lra::results {

using nlohmann::json;
namespace fs = std::filesystem;

template <class V>
void describe(V& v, StepQuantiles& quantiles) {
  v("median", quantiles.median);
  v("p10", quantiles.p10);
  v("p25", quantiles.p25);
  v("p75", quantiles.p75);
  v("p90", quantiles.p90);
  v("count", quantiles.count);
}

template <class V>
void describe(V& v, CoresPoint& point) {
  v("cores", point.cores);
  v("step_ms", point.step_ms);
}

template <class V>
void describe(V& v, BenchPoint& point) {
  v("n", point.n);
  v("status", point.status);
  v("step_ms", point.step_ms);
  v("steps_per_second", point.steps_per_second);
  v("tokens_per_second", point.tokens_per_second);
  v("peak_tensor_bytes", point.peak_tensor_bytes);
  v("peak_rss_bytes", point.peak_rss_bytes);
  v("flops_per_token", point.flops_per_token);
  v("matmul_share", point.matmul_share);
  v.part("limit_ms", point.limit_ms, point.limit_ms.has_value());
  v.part("on_cores", point.on_cores, !point.on_cores.empty());
}

template <class V>
void describe(V& v, BenchRecord& record) {
  v.constant("schema", kBenchSchema);
  v("attention", record.attention);
  v("preset", record.preset);
  v("precision", record.precision);
  v("mode", record.mode);
  v("batch", record.batch);
  v.part("mean_tokens", record.mean_tokens, record.mean_tokens.has_value());
  v("parameters", record.parameters);
  v("measured", record.measured);
  v("started", record.started);
  v("environment", record.environment);
  v("points", record.points);
}

namespace {

const JsonSchema& bench_schema() {
  static const JsonSchema schema(schema_text("bench"), "bench.schema.json");
  return schema;
}

}  // namespace

double step_tokens(const BenchRecord& record, std::int64_t n) {
  return static_cast<double>(record.batch) * record.mean_tokens.value_or(static_cast<double>(n));
}

json to_json(const BenchRecord& record) {
  json result = to_fields(record);
  bench_schema().require(result, "bench of " + record.attention.name, ErrorKind::config);
  return result;
}

BenchRecord bench_from_json(const json& value, std::string_view where) {
  bench_schema().require(value, where);
  BenchRecord record;
  from_fields(value, record);
  return record;
}

json to_json(const BenchPoint& point) { return to_fields(point); }

BenchPoint bench_point_from_json(const json& value) {
  BenchPoint point;
  from_fields(value, point);
  return point;
}

LoadedBenches load_benches(const std::vector<fs::path>& places, OnFault on_fault) {
  LoadedBenches loaded;
  loaded.faults =
      read_each(find_series(places, "bench", on_fault), on_fault, [&](const fs::path& file) {
        BenchRecord record = bench_from_json(read_json(file), file.string());
        record.file = file;
        loaded.records.push_back(std::move(record));
      });
  return loaded;
}

std::vector<CurvePoint> load_curve(const Record& record) {
  const fs::path file =
      record.files.curve ? record.file.parent_path() / *record.files.curve : fs::path();
  std::error_code code;
  if (record.file.empty() || !record.files.curve || !fs::exists(file, code)) return {};
  return parse_curve(read_file(file), file.string());
}

std::vector<CurvePoint> parse_curve(std::string_view text, const std::string& name) {
  static const JsonSchema schema(schema_text("metrics"), "metrics.schema.json");
  std::vector<CurvePoint> curve;
  std::int64_t line = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = text.find('\n', start);
    if (end == std::string_view::npos) break;  // truncated when the process was killed
    const std::string where = fmt::format("{}:{}", name, ++line);
    const json value = parse_json(text.substr(start, end - start), name, ErrorKind::data, line);
    schema.require(value, where);
    start = end + 1;
    if (value["split"] == "diagnosis") continue;
    CurvePoint& point = curve.emplace_back();
    point.step = value["step"].get<std::int64_t>();
    point.split = value["split"].get<std::string>();
    const auto number = [&](const char* key) {
      return value.contains(key) && value[key].is_number() ? Real(value[key].get<double>())
                                                           : Real();
    };
    point.loss = number("loss");
    point.accuracy = number("accuracy");
  }
  return curve;
}

}  // namespace lra::results

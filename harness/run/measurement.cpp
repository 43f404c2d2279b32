#include "harness/run/measurement.h"

#include <nlohmann/json.hpp>
#include <numeric>
#include <regex>
#include <system_error>

#include "engine/base/error.h"
#include "engine/base/fields.h"
#include "engine/base/file.h"
#include "harness/run/environment.h"
#include "harness/run/record.h"

namespace lra::harness {
namespace {

using nlohmann::json;

constexpr const char* kSchema = "lra-measurement/1";

// "..., 64 cores, 4 threads, ...": the number of idle cores is not a condition of a measurement. A
// node measures with access to all its cores and trains on a share of them.
std::string without_cores(const std::string& machine) {
  static const std::regex cores(", [0-9]+ cores,");
  return std::regex_replace(machine, cores, ",");
}

}  // namespace

template <class V>
void describe(V& v, TimedBatches& batches) {
  v("round_ms", batches.round_ms);
  v("examples", batches.examples);
  v("tokens", batches.tokens);
  v("flops", batches.flops);
}

template <class V>
void describe(V& v, Measurement& measurement) {
  v.constant("schema", kSchema);
  v("machine", measurement.machine);
  v("data_sha256", measurement.data_sha256);
  v("train", measurement.train);
  v("infer", measurement.infer);
  v("peak_tensor_bytes", measurement.peak_tensor_bytes);
  v("peak_rss_bytes", measurement.peak_rss_bytes);
}

std::string machine_text(int threads) {
  const results::Environment e = environment(threads, 1);
  return fmt::format("{}, lra {} {}", results::machine_of(e), e.version, e.commit.value_or(""));
}

double TimedBatches::seconds() const {
  double ms = 0;
  for (const auto& round : round_ms) ms += std::accumulate(round.begin(), round.end(), 0.0);
  return ms / 1e3;
}

results::Real TimedBatches::per_second(std::int64_t count_of_a_round) const {
  if (!(seconds() > 0)) return std::nullopt;
  return static_cast<double>(count_of_a_round) * static_cast<double>(round_ms.size()) / seconds();
}

std::optional<results::Quantiles> TimedBatches::quantiles() const {
  std::vector<double> times;
  for (const auto& round : round_ms) times.insert(times.end(), round.begin(), round.end());
  if (times.empty()) return std::nullopt;
  return quantiles_of(times);
}

void Measurement::fill(results::Record& record) const {
  auto& speed = record.speed;
  const auto steps = train.round_ms.empty() ? 0 : train.round_ms.front().size();
  speed.train_steps_per_second = train.per_second(static_cast<std::int64_t>(steps));
  speed.train_examples_per_second = train.per_second(train.examples);
  speed.train_tokens_per_second = train.per_second(train.tokens);
  speed.infer_examples_per_second = infer.per_second(infer.examples);
  speed.infer_tokens_per_second = infer.per_second(infer.tokens);
  speed.train_step_ms = train.quantiles();
  speed.infer_batch_ms = infer.quantiles();
  speed.measured = results::Timing::exclusive;
  if (infer.tokens > 0) {
    record.cost.infer_flops_per_token =
        static_cast<double>(infer.flops) / static_cast<double>(infer.tokens);
  }
  record.memory.peak_tensor_bytes = peak_tensor_bytes;
  record.memory.peak_rss_bytes = peak_rss_bytes;
}

bool can_be_measured(const results::Record& record, int threads) {
  return record.status == results::Status::completed &&
         record.speed.measured == results::Timing::shared &&
         without_cores(results::machine_of(record.environment)) ==
             without_cores(results::machine_of(environment(threads, 1)));
}

void fill_later(const Measurement& measurement, results::Record& record) {
  if (!record.time.measured) record.time.measured = record.speed.measured;
  measurement.fill(record);
  const std::string program = results::program_of(environment(1, 1));
  if (program != results::program_of(record.environment)) record.speed.measured_by = program;
}

json to_json(const Measurement& measurement) { return to_fields(measurement); }

std::optional<Measurement> load_measurement(const std::filesystem::path& file, int threads,
                                            const std::string& data_sha256) {
  std::error_code code;
  if (!std::filesystem::exists(file, code)) return std::nullopt;
  try {
    const json j = read_json(file);
    if (j.at("schema") != kSchema ||
        without_cores(j.at("machine")) != without_cores(machine_text(threads)) ||
        j.at("data_sha256") != data_sha256) {
      return std::nullopt;
    }
    return measurement_of(j);
  } catch (const json::exception&) {
    return std::nullopt;
  } catch (const Error&) {  // truncated or malformed: measured again
    return std::nullopt;
  }
}

Measurement measurement_of(const json& j) {
  Measurement measurement;
  from_fields(j, measurement);
  return measurement;
}

}  // namespace lra::harness

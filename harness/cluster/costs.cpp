#include "harness/cluster/costs.h"

#include <nlohmann/json.hpp>
#include <system_error>

#include "engine/base/error.h"
#include "engine/base/file.h"

namespace lra::harness::cluster {
namespace {

constexpr const char* kSchema = "lra-costs/1";

}  // namespace

std::filesystem::path costs_file(const std::filesystem::path& out) {
  return out / "slurm" / "costs.json";
}

Costs load_costs(const std::filesystem::path& out, int cores) {
  Costs costs;
  costs.cores = cores;
  std::error_code code;
  if (!std::filesystem::exists(costs_file(out), code)) return costs;
  try {
    const nlohmann::json j = read_json(costs_file(out));
    if (j.at("schema") != kSchema || j.at("cores") != cores) return costs;
    Costs found = costs;
    found.cpu = j.at("cpu");
    for (const auto& [name, cost] : j.at("runs").items()) {
      const Estimate estimate = estimate_from_json(cost);
      if (estimate.known) found.runs[name] = estimate;
    }
    if (j.contains("bench_seconds")) found.bench_seconds = j.at("bench_seconds").get<double>();
    return found;
  } catch (const nlohmann::json::exception&) {
    return costs;
  } catch (const Error&) {
    return costs;
  }
}

void save_costs(const std::filesystem::path& out, const Costs& costs) {
  nlohmann::json runs = nlohmann::json::object();
  for (const auto& [name, cost] : costs.runs) runs[name] = to_json(cost);
  nlohmann::json j = {{"schema", kSchema}, {"cores", costs.cores}, {"cpu", costs.cpu}};
  j["runs"] = std::move(runs);
  if (costs.bench_seconds) j["bench_seconds"] = *costs.bench_seconds;
  write_json(costs_file(out), j);
}

}  // namespace lra::harness::cluster

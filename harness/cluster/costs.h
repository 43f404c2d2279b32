#pragma once
// Costs of a suite's runs as estimated by the first job: DIR/slurm/costs.json.

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "harness/suite/estimate.h"

namespace lra::harness::cluster {

struct Costs {
  int cores = 0;                         // of a task; costs depend on this number
  std::string cpu;                       // of the node
  std::map<std::string, Estimate> runs;  // by name; known ones
  std::optional<double> bench_seconds;   // of the suite's bench
};

[[nodiscard]] std::filesystem::path costs_file(const std::filesystem::path& out);
// Empty for a missing or damaged file and for another number of cores; the costs are then estimated
// again.
[[nodiscard]] Costs load_costs(const std::filesystem::path& out, int cores);
void save_costs(const std::filesystem::path& out, const Costs& costs);

}  // namespace lra::harness::cluster

#pragma once
// Machine, program and time of a record.

#include <cstdint>
#include <string>

#include "results/record/record.h"

namespace lra::harness {

// This moment in UTC: 2026-01-31T12:00:00Z.
[[nodiscard]] std::string utc_now();
// The node's name is that of a Slurm job (SLURMD_NODENAME); elsewhere the machine stays unnamed.
[[nodiscard]] results::Environment environment(int threads, std::int64_t lanes);

}  // namespace lra::harness

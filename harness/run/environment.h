#pragma once
// Machine, program and time for a record.

#include <cstdint>
#include <string>

#include "results/record/record.h"

namespace lra::harness {

// The current time in UTC: 2026-01-31T12:00:00Z.
[[nodiscard]] std::string utc_now();
// The node's name comes from a Slurm job (SLURMD_NODENAME); elsewhere the machine has no name.
[[nodiscard]] results::Environment environment(int threads, std::int64_t lanes);

}  // namespace lra::harness

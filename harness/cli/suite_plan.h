#pragma once
// `lra run --dry-run`: the plan of a suite, with estimated time and memory.

#include <filesystem>

#include "harness/cli/cluster.h"
#include "harness/suite/suite.h"

namespace lra::harness::cli {

// Prints what a run with these arguments would do: data, runs and bench. Returns the exit code that
// it would have, where that can be told, or kInterrupted.
[[nodiscard]] int print_plan(const Suite& whole, const RunArguments& a,
                             const std::filesystem::path& out);

}  // namespace lra::harness::cli

#pragma once
// A completed run read back from its folder.

#include <filesystem>
#include <memory>

#include "harness/spec.h"
#include "harness/workers.h"
#include "results/record.h"

namespace lra::harness {

struct SavedRun {
  RunSpec spec;
  results::Record record;
  std::unique_ptr<models::Model> model;  // with the selected weights
};

// Throws Error(data) for a folder that holds no run or no weights, and for weights of another
// version or run.
[[nodiscard]] SavedRun load_run(const std::filesystem::path& folder, Workers& workers);

}  // namespace lra::harness

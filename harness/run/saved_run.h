#pragma once
// A completed run read back from its folder.

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness/run/spec.h"
#include "harness/workers/workers.h"
#include "results/record/record.h"

namespace lra::harness {

struct SavedRun {
  RunSpec spec;
  results::Record record;
  std::unique_ptr<models::Model> model;  // with the selected weights
};

// Trained tensors by name, and how to complain where a model needs others: "where: name: got ...,
// expected ...: otherwise".
struct Weights {
  std::vector<std::pair<std::string, engine::Tensor>> tensors;
  std::string where;
  ErrorKind kind;
  std::string otherwise;
};

// The run's model for the sequences of `info`, with these weights. Throws Error(weights.kind).
[[nodiscard]] std::unique_ptr<models::Model> model_with(const Weights& weights, const RunSpec& spec,
                                                        const tasks::TaskInfo& info,
                                                        Workers& workers);

// Throws Error(data) for a folder that holds no run or no weights, and for weights of another
// version or run.
[[nodiscard]] SavedRun load_run(const std::filesystem::path& folder, Workers& workers);

}  // namespace lra::harness

#pragma once
// A completed run read back from its folder.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/run/data.h"
#include "harness/run/spec.h"
#include "harness/workers/workers.h"
#include "results/record/record.h"

namespace lra::harness {

struct SavedRun {
  RunSpec spec;
  results::Record record;
  std::unique_ptr<models::Model> model;  // with the selected weights
  std::filesystem::path folder;
  std::optional<DataUsed> data;  // that it was trained on; empty if unknown
};

// Trained tensors by name, and the parts of the error message for a model that needs others:
// "where: name: got ..., expected ...: otherwise".
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

// Throws Error(data) for a folder without a run or weights, for a result of another run or on other
// data than spec.json says, and for weights of another version, run or data; the weights of earlier
// versions do not name their data.
[[nodiscard]] SavedRun load_run(const std::filesystem::path& folder, Workers& workers);

// Opens the data that a saved run was trained on, at their recorded location if `options.data` is
// empty. Throws Error(data) with both descriptions if the data differ, unless `other_data`; other
// data in files need only have `split`, which is used whole.
[[nodiscard]] RunData open_data_of(const SavedRun& run, DataOptions options, bool other_data,
                                   tasks::Split split);
// The specification reduced to one split and at most this many of its examples.
[[nodiscard]] RunSpec with_one_split(RunSpec spec, tasks::Split split);

// The options, with the recorded location of the run's data if they name none. Throws Error(data)
// if that location no longer exists.
[[nodiscard]] DataOptions as_trained(const SavedRun& run, DataOptions options);

}  // namespace lra::harness

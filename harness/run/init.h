#pragma once
// Starting a run from given weights (`lra train --init FILE`).

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "harness/run/spec.h"
#include "harness/workers/workers.h"

namespace lra::harness {

// Names of the model's parameters.
struct InitUsed {
  std::vector<std::string> taken;   // initialised from the file
  std::vector<std::string> left;    // missing in the file or of another shape: drawn by the seed
  std::vector<std::string> unused;  // tensors of the file that no parameter uses; not recorded
};
// {file, sha256, taken, left}, as in result.json.
[[nodiscard]] nlohmann::json to_json(const InitUsed& used, const RunSpec& spec);

// Copies each tensor of spec.init_file with the name and shape of a parameter into the model; other
// weights are unchanged. Throws Error(data) if the file has changed since the specification was
// made, and if no tensor fits.
[[nodiscard]] InitUsed take_weights(const RunSpec& spec, models::Model& model, Workers& workers);

}  // namespace lra::harness

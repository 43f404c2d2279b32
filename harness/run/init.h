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
  std::vector<std::string> taken;  // whose values are the file's
  std::vector<std::string> left;  // which the file lacks or has in another shape: drawn by the seed
  std::vector<std::string> unused;  // of the file, whose values no parameter takes; not recorded
};
// {file, sha256, taken, left}, as result.json has it.
[[nodiscard]] nlohmann::json to_json(const InitUsed& used, const RunSpec& spec);

// Copies each tensor of spec.init_file that has the name and the shape of a parameter into the
// model, whose other weights stay. Throws Error(data) if the file is not the one that the
// specification was made of, and if no tensor fits.
[[nodiscard]] InitUsed take_weights(const RunSpec& spec, models::Model& model, Workers& workers);

}  // namespace lra::harness

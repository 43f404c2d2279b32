#pragma once
// Presets: named configurations of model and training for each task, from data files.

#include <array>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "models/config.h"

namespace lra::models {

struct Preset {
  std::string name;
  std::string description;
  ModelConfig model;
  TrainConfig train;
  std::map<std::string, std::string> task_options;  // for the task, e.g. max_length
  std::array<std::int64_t, 3> counts{-1, -1, -1};   // of generated train, val, test; -1: official
};

// Names of the presets that are built in.
[[nodiscard]] std::vector<std::string> preset_names();
// A preset's file as JSON: a built-in name or a path that ends in .json. Throws Error(usage, data).
[[nodiscard]] nlohmann::json preset_file(std::string_view name);
// The preset's configuration for a task; a task without an entry gets the common one.
[[nodiscard]] Preset load_preset(std::string_view name, std::string_view task);

}  // namespace lra::models

#include "models/presets.h"

#include <nlohmann/json.hpp>

#include "embedded/preset_files.h"
#include "engine/base/error.h"
#include "engine/base/file.h"

namespace lra::models {

using nlohmann::json;

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& file : embedded::preset_files()) {
    names.emplace_back(file.name.substr(0, file.name.size() - std::string_view(".json").size()));
  }
  return names;
}

json preset_file(std::string_view name) {
  json file;
  if (name.ends_with(".json")) {
    file = read_json(std::string(name));
  } else if (const auto* built_in =
                 find_embedded(embedded::preset_files(), std::string(name) + ".json")) {
    file = parse_json(built_in->content, std::string(built_in->name));
  } else {
    throw Error(ErrorKind::usage, unknown_name_message("preset", name, preset_names()));
  }
  if (!file.is_object() || file.value("schema", json()) != "lra-preset/1") {
    fail(ErrorKind::data, "{}: not a preset; expected \"schema\": \"lra-preset/1\"", name);
  }
  return file;
}

namespace {

Preset parse_preset(const json& file, std::string_view name, std::string_view task) {
  Preset preset;
  preset.name = file.value("name", std::string(name));
  preset.description = file.value("description", "");
  OptionTable model;
  OptionTable train;
  preset.model.options(model);
  preset.train.options(train);
  OptionTable counts;
  counts.integer("train", preset.counts[0], 1, 100000000, "training examples")
      .integer("val", preset.counts[1], 1, 100000000, "validation examples")
      .integer("test", preset.counts[2], 1, 100000000, "test examples");
  const auto assign = [&](const json& part, const std::string& where) {
    model.assign(part.value("model", json::object()), where + ".model");
    train.assign(part.value("train", json::object()), where + ".train");
    counts.assign(part.value("data", json::object()), where + ".data");
    const json task_part = part.value("task", json::object());
    for (const auto& [key, value] : task_part.items()) {
      preset.task_options[key] = value.is_string() ? value.get<std::string>() : value.dump();
    }
  };
  assign(file.value("common", json::object()), fmt::format("preset {}: common", preset.name));
  const json tasks = file.value("tasks", json::object());
  if (const auto entry = tasks.find(std::string(task)); entry != tasks.end()) {
    assign(*entry, fmt::format("preset {}: tasks.{}", preset.name, task));
  }
  return preset;
}

}  // namespace

Preset load_preset(std::string_view name, std::string_view task) {
  const json file = preset_file(name);
  try {
    return parse_preset(file, name, task);
  } catch (const json::exception& error) {
    fail(ErrorKind::data, "preset {}: not of the form lra-preset/1: {}", name, error.what());
  }
}

}  // namespace lra::models

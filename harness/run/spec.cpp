#include "harness/run/spec.h"

#include <algorithm>
#include <utility>

#include "attention/attention.h"
#include "engine/base/error.h"
#include "engine/base/fields.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/runtime.h"
#include "harness/run/protocol.h"
#include "harness/workers/workers.h"
#include "models/presets.h"
#include "tasks/task.h"

namespace lra::harness {
namespace {

using nlohmann::json;

constexpr const char* kSpecSchema = "lra-spec/1";
constexpr std::int64_t kFormerLanes = 8;
constexpr std::array<const char*, 3> kSplitNames{"train", "val", "test"};

// KEY=VALUE lists, sorted by what they are about.
struct Settings {
  json model = json::object();
  json train = json::object();
  json task = json::object();
  json attention = json::object();
  json data = json::object();
  json diagnostics = json::object();
  json log = json::object();
  json run = json::object();
};

Settings parse_settings(const std::vector<std::string>& settings) {
  Settings result;
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string::npos || equals == 0) {
      fail(ErrorKind::usage, "setting {}: expected KEY=VALUE", setting);
    }
    const std::string key = setting.substr(0, equals);
    const std::string value = setting.substr(equals + 1);
    const std::size_t dot = key.find('.');
    const std::string part = key.substr(0, dot);
    const std::string name = dot == std::string::npos ? "" : key.substr(dot + 1);
    if (key == "lanes" || key == "init" || key == "evaluate") {
      result.run[key] = value;
    } else if (part == "model") {
      result.model[name] = value;
    } else if (part == "train") {
      result.train[name] = value;
    } else if (part == "task") {
      result.task[name] = value;
    } else if (part == "attention") {
      result.attention[name] = value;
    } else if (part == "data") {
      result.data[name] = value;
    } else if (part == "diagnostics") {
      result.diagnostics[name] = value;
    } else if (part == "log") {
      result.log[name] = value;
    } else {
      throw Error(ErrorKind::usage,
                  unknown_name_message("setting", key,
                                       {"model.*", "train.*", "task.*", "attention.*", "data.*",
                                        "diagnostics.*", "log.*", "lanes", "init", "evaluate"}));
    }
  }
  return result;
}

template <class Config>
json values_of(Config config) {
  return table_of(config).values();
}

// "train.steps: 300 instead of 5000" for each value that differs.
void add_deviations(const std::string& part, const json& preset, const json& chosen,
                    std::vector<std::string>& deviations) {
  for (const auto& [name, value] : preset.items()) {
    if (chosen.at(name) == value) continue;
    deviations.push_back(
        fmt::format("{}.{}: {} instead of {}", part, name, chosen.at(name).dump(), value.dump()));
  }
}

template <class Config>
void assign(Config& config, const json& values, const std::string& where) {
  table_of(config).assign(values, where);
}

// Seed, counts and place of the data.
OptionTable data_table(RunSpec& spec, std::string& place) {
  OptionTable table;
  table.integer("seed", spec.data_seed, 0, std::int64_t{1} << 62, "of generated data")
      .integer("train", spec.counts[0], 1, kMostExamples, "training examples")
      .integer("val", spec.counts[1], 1, kMostExamples, "validation examples")
      .integer("test", spec.counts[2], 1, kMostExamples, "test examples")
      .text("path", place, "of this task's data, in place of --data");
  return table;
}

void assign_data(RunSpec& spec, const json& values) {
  std::string place = spec.data.string();
  data_table(spec, place).assign(values, "setting data");
  spec.data = place;
  for (std::size_t i = 0; i < kSplitNames.size(); ++i) {
    spec.counts_wished[i] = spec.counts[i] >= 0 && !values.contains(kSplitNames[i]);
  }
}

// Lanes, weights to start from, splits evaluated at the end.
OptionTable run_table(RunSpec& spec, std::string& evaluate) {
  OptionTable table;
  table.integer("lanes", spec.lanes, 1, 256, "gradient lanes, at most")
      .text("init", spec.init_file, "weights to start from")
      .choice("evaluate", evaluate, {"all", "validation"},
              "splits evaluated at the end; validation: a trial, which never sees test");
  return table;
}

OptionTable log_table(RunSpec& spec) {
  OptionTable table;
  table.flag("tensorboard", spec.tensorboard, "write an event file for TensorBoard");
  return table;
}

void assign_run(RunSpec& spec, const tasks::TaskInfo& info, const json& values,
                const json& log_values) {
  std::string evaluate = "all";
  spec.lanes = lanes_for(spec.train.batch_size, info.max_length, spec.model, info.vocabulary);
  run_table(spec, evaluate).assign(values, "setting");
  if (spec.lanes == kFormerLanes) spec.lanes = 0;
  spec.validation_only = evaluate == "validation";
  if (!spec.init_file.empty()) spec.init_sha256 = sha256_hex(read_file(spec.init_file));
  log_table(spec).assign(log_values, "setting log");
}

// Sets the task's options and fills in those that follow from its data.
tasks::TaskInfo settle(RunSpec& spec, const json& options) {
  tasks::OpenOptions open;
  open.data = spec.data;
  const auto task = tasks::create_task(spec.task, options, open);
  tasks::TaskInfo info = task->info();
  if (info.open) {
    fail(ErrorKind::usage,
         "--task {}: no data; give --data PATH, or the setting data.path in a suite", spec.task);
  }
  spec.task_options = table_of(*task).values();
  return info;
}

}  // namespace

json describe_settings() {
  RunSpec spec;
  std::string place;
  std::string evaluate = "all";
  json all = json::array();
  const auto add = [&all](const std::string& part, const OptionTable& table) {
    for (json option : table.describe()) {
      option["name"] = part + option.at("name").get<std::string>();
      all.push_back(std::move(option));
    }
  };
  add("model.", table_of(spec.model));
  add("train.", table_of(spec.train));
  add("data.", data_table(spec, place));
  add("diagnostics.", table_of(spec.diagnostics));
  add("log.", log_table(spec));
  add("", run_table(spec, evaluate));
  for (json& option : all) {  // what depends on the run has no default
    for (const char* name : {"lanes", "data.train", "data.val", "data.test"}) {
      if (option["name"] == name) option["default"] = "by the run";
    }
  }
  return all;
}

json task_values(const std::string& task, const json& options) {
  const auto instance = tasks::create_task(task, options);
  return table_of(*instance).values();
}

std::int64_t lanes_of(const RunSpec& spec) { return spec.lanes > 0 ? spec.lanes : kFormerLanes; }

DropLast drop_last_of(const RunSpec& spec) {
  return spec.drop_last ? *spec.drop_last : load_protocol(spec.protocol, spec.task).drop_last;
}

std::string task_name(const RunSpec& spec) {
  const std::string set = tasks::create_task(spec.task, spec.task_options)->info().set;
  return set.empty() ? spec.task : set;
}

std::string title_of(const RunSpec& spec) {
  return fmt::format("{} / {}{}", task_name(spec), spec.attention,
                     spec.attention_options.empty() ? "" : " " + spec.attention_options.dump());
}

RunSpec resolve(const Request& request) {
  const Settings settings = parse_settings(request.settings);
  RunSpec spec;
  static_cast<void>(tasks::task_registry().at(request.task));
  spec.task = request.task;
  spec.attention = attention::registry().canonical(request.attention);
  const models::Preset preset = models::load_preset(request.preset, request.task);
  const Protocol protocol = load_protocol(request.protocol, request.task);
  spec.preset = preset.name;
  spec.protocol = protocol.name;
  if (!protocol.built_in) spec.drop_last = protocol.drop_last;
  spec.seed = request.seed;
  spec.precision = engine::resolve_precision(request.precision);
  spec.precision_auto = request.precision == "auto";
  // The preset as the protocol changes it: what deviations are counted from.
  models::ModelConfig base_model = preset.model;
  models::TrainConfig base_train = preset.train;
  const std::string where = "protocol " + protocol.name;
  assign(base_model, apply_protocol(protocol, "model", values_of(preset.model)), where);
  assign(base_train, apply_protocol(protocol, "train", values_of(preset.train)), where);
  json preset_task = json::object();
  for (const auto& [name, value] : preset.task_options) preset_task[name] = value;
  preset_task = apply_protocol(protocol, "task", preset_task);
  spec.model = base_model;
  spec.train = base_train;
  assign(spec.model, settings.model, "setting model");
  assign(spec.train, settings.train, "setting train");
  assign(spec.diagnostics, settings.diagnostics, "setting diagnostics");
  json chosen_task = preset_task;
  chosen_task.update(settings.task);
  spec.counts = preset.counts;
  spec.data = request.data;
  assign_data(spec, settings.data);
  const tasks::TaskInfo info = settle(spec, chosen_task);
  spec.model.check();
  if (spec.model.input == models::EncoderInput::pixels && !info.pixels) {
    fail(ErrorKind::config, "model.input: pixels, but {} has no pixels; expected tokens",
         spec.task);
  }
  spec.attention_options = attention::resolved_options(spec.attention, settings.attention);
  assign_run(spec, info, settings.run, settings.log);
  if (spec.validation_only && info.validates_on_test) {
    fail(
        ErrorKind::config,
        "{}: validation is the test split (task.validation=test, as its protocol has it): a search "
        "would choose by test; expected a validation of its own, such as task.validation=hash",
        spec.task);
  }
  if (spec.train.patience > 0 && spec.train.selection == models::Selection::last_step) {
    fail(ErrorKind::config,
         "train.patience: got {} with train.selection=last_step, expected a selection by "
         "validation",
         spec.train.patience);
  }
  add_deviations("model", values_of(base_model), values_of(spec.model), spec.deviations);
  add_deviations("train", values_of(base_train), values_of(spec.train), spec.deviations);
  if (info.set.empty()) {  // a preset says nothing of data of one's own
    add_deviations("task", task_values(request.task, preset_task), spec.task_options,
                   spec.deviations);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    if (spec.counts[i] != preset.counts[i]) {
      spec.deviations.push_back(
          fmt::format("data.{}: {} examples", kSplitNames[i], spec.counts[i]));
    }
  }
  if (!spec.init_file.empty()) {
    spec.deviations.push_back(
        fmt::format("init: weights {} instead of new ones", spec.init_sha256.substr(0, 12)));
  }
  return spec;
}

// A group of options under its name, with their values.
template <class V, class Options>
void option_group(V& v, const char* name, Options& group) {
  v.converted(
      name, [&] { return values_of(group); },
      [&](const json& values, const std::string& where) { assign(group, values, where); });
}

template <class V>
void describe(V& v, RunSpec& spec) {
  v.constant("schema", kSpecSchema);
  v("task", spec.task);
  v("task_options", spec.task_options);
  v.object("data", [&] {
    v("seed", spec.data_seed);
    v("counts", spec.counts);
  });
  if (v.has("counts_wished", false)) v("counts_wished", spec.counts_wished);
  v("attention", spec.attention);
  v("attention_options", spec.attention_options);
  v("preset", spec.preset);
  v("protocol", spec.protocol);
  if (v.has("drop_last", spec.drop_last.has_value())) v("drop_last", spec.drop_last);
  option_group(v, "model", spec.model);
  option_group(v, "train", spec.train);
  v("seed", spec.seed);
  v("precision", spec.precision);
  v("lanes", spec.lanes);
  if (v.has("diagnostics", true)) option_group(v, "diagnostics", spec.diagnostics);
  v("deviations", spec.deviations);
  if (v.has("init", !spec.init_file.empty())) {
    v.object("init", [&] {
      v("file", spec.init_file);
      v("sha256", spec.init_sha256);
    });
  }
  if (v.has("log", spec.tensorboard)) {
    v.object("log", [&] { v("tensorboard", spec.tensorboard); });
  }
  if (v.has("evaluate", spec.validation_only)) {
    v.converted(
        "evaluate", [] { return "validation"; },
        [&](const json& splits, const std::string&) {
          spec.validation_only = splits == "validation";
        });
  }
}

json to_json(const RunSpec& spec) {
  json j = to_fields(spec);
  j["task_version"] = spec.task_version > 0
                          ? spec.task_version
                          : tasks::create_task(spec.task, spec.task_options)->info().version;
  return j;
}

RunSpec spec_from_json(const json& j, const std::string& where) {
  RunSpec spec;
  try {
    if (j.at("schema") != kSpecSchema) {
      fail(ErrorKind::data, "{}: schema {}, expected {}", where, j.at("schema").dump(),
           kSpecSchema);
    }
    from_fields(j, spec, where);
    spec.task_version = j.at("task_version").get<int>();
  } catch (const json::exception& error) {
    fail(ErrorKind::data, "{}: not a run specification: {}", where, error.what());
  }
  return spec;
}

namespace {

// Options that came after runs had been recorded, at the values that the program had without them:
// there they are no part of a run's identity, so that earlier runs keep theirs.
void leave_out_added_options(json& j) {
  static const json added = {{"model",
                              {{"rotary_base", 10000.0},
                               {"rotary_pairs", "interleaved"},
                               {"attention_gate", "none"},
                               {"classifier", "own"},
                               {"embedding_dropout", -1.0}}},
                             {"train", {{"lr_floor", 0.0}, {"patience", 0}}},
                             {"attention_options", {{"logit_scale", "sqrt_d"}, {"n0", 512.0}}}};
  for (const auto& [part, options] : added.items()) {
    for (const auto& [name, value] : options.items()) {
      if (j[part].contains(name) && j[part][name] == value) j[part].erase(name);
    }
  }
}

}  // namespace

json identity_of(const RunSpec& spec) {
  json j = to_json(spec);
  leave_out_added_options(j);
  j.erase("deviations");
  j.erase("diagnostics");
  j.erase("log");
  if (j.contains("init")) j["init"].erase("file");
  return j;
}

std::string spec_digest(const RunSpec& spec) { return sha256_hex(json_text(identity_of(spec))); }

}  // namespace lra::harness

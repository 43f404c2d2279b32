#pragma once
// The specification of a run: all settings on which its numbers depend, and those of its
// measurements.

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/precision.h"
#include "harness/diagnose/settings.h"
#include "harness/run/protocol.h"
#include "models/config.h"

namespace lra::harness {

// The largest number of examples of a split that can be asked for.
inline constexpr std::int64_t kMostExamples = 100000000;

struct RunSpec {
  std::string task = "listops";
  nlohmann::json task_options = nlohmann::json::object();
  std::int64_t data_seed = 0;  // of generated data
  std::array<std::int64_t, 3> counts{-1, -1, -1};
  // Counts that only the preset asks for: upper limits. No part of the digest.
  std::array<bool, 3> counts_wished{};
  std::string attention = "softmax";
  nlohmann::json attention_options = nlohmann::json::object();
  std::string preset = "nystromformer";
  std::string protocol = "exact";
  // Of a protocol from a file, what is neither a task's, the model's nor the training's option:
  // which incomplete last batches its evaluation leaves out. None: the built-in protocol's.
  std::optional<DropLast> drop_last;
  models::ModelConfig model;
  models::TrainConfig train;
  std::int64_t seed = 0;
  Precision precision = Precision::f32;
  bool precision_auto = false;  // resolved from "auto"; no part of the digest
  std::int64_t lanes = 0;       // gradient lanes that it asks for; 0: 8 (see lanes_of)
  // A trial of a search: evaluated on validation alone, neither on test nor on train.
  bool validation_only = false;
  diagnose::Settings diagnostics;       // no part of the digest: they change no other number
  std::string init_file;                // weights to start from; empty: drawn by the seed
  std::string init_sha256;              // of that file: this is the part of the digest
  bool tensorboard = false;             // no part of the digest
  std::filesystem::path data;           // where the data are; empty: as for all tasks. No part
                                        // of the digest: their own digest identifies data
  std::vector<std::string> deviations;  // from the preset and the protocol
  int task_version = 0;                 // of the program that wrote it; 0: this program's
};

// What a command line or a suite asks for.
struct Request {
  std::string task = "listops";
  std::string attention = "softmax";
  std::string preset = "nystromformer";
  std::string protocol = "exact";
  std::int64_t seed = 0;
  std::string precision = "auto";     // or the name of a Precision
  std::vector<std::string> settings;  // KEY=VALUE with KEY one of model.*, train.*, task.*,
                                      // attention.*, data.{seed,train,val,test,path},
                                      // diagnostics.*, log.*, lanes, init, evaluate
  std::filesystem::path data;         // --data; the setting data.path goes before it
};

// Fills in preset and defaults, and what a task leaves open by its data. Throws Error(usage,
// config) for unknown names and values, and as tasks::Task::settle.
[[nodiscard]] RunSpec resolve(const Request& request);

// Every setting that no task or attention has of its own ("model.layers", "lanes", ...), each as an
// OptionTable describes an option.
[[nodiscard]] nlohmann::json describe_settings();

// All options of a task, defaults filled in. Throws as tasks::create_task.
[[nodiscard]] nlohmann::json task_values(const std::string& task, const nlohmann::json& options);

// How many gradient lanes it asks for. Eight are kept as 0, in the digest as well: so they stood
// when every run had eight.
[[nodiscard]] std::int64_t lanes_of(const RunSpec& spec);

// Which incomplete last batches an evaluation leaves out: none, test or val_test.
[[nodiscard]] DropLast drop_last_of(const RunSpec& spec);

// The task's name, or that of a data set of the user's: what folders and tables call it.
[[nodiscard]] std::string task_name(const RunSpec& spec);

// "listops / cosformer {...}": a run in a line of output.
[[nodiscard]] std::string title_of(const RunSpec& spec);

[[nodiscard]] nlohmann::json to_json(const RunSpec& spec);
// Throws Error(data) that names `where` and the field.
[[nodiscard]] RunSpec spec_from_json(const nlohmann::json& json, const std::string& where);
// The identity: to_json() without settings that change no number of the run, and without options
// that earlier versions of the program did not have where they have the values then implied.
[[nodiscard]] nlohmann::json identity_of(const RunSpec& spec);
// SHA-256 of identity_of(); its first 16 digits are the run's id.
[[nodiscard]] std::string spec_digest(const RunSpec& spec);

}  // namespace lra::harness

#pragma once
// Protocols, as data: the choices in which the arena's code bases differ (lengths, quirks of
// vocabulary and padding, pixels as tokens or numbers, gray formula, pooling, features of a pair,
// validation rule, dropped last batches, the checkpoint that counts). `exact` is the default.

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/enum_text.h"
#include "tasks/task.h"

namespace lra::harness {

// The splits of which an evaluation leaves out the incomplete last batch.
enum class DropLast { none, test, val_test };
constexpr auto texts(DropLast) { return enum_texts("none", "test", "val_test"); }

// A protocol's values for one task. They override a preset's; task, model and train are named
// options of these, and options that the protocol does not name keep the preset's values.
struct Protocol {
  std::string name;  // of a built-in protocol, or of the file; its stem if it states none
  bool built_in = true;
  std::string description;  // one line
  nlohmann::json task = nlohmann::json::object();
  nlohmann::json model = nlohmann::json::object();
  nlohmann::json train = nlohmann::json::object();
  // Replacements of preset values: {"model.pooling": {"mean_all": "mean"}}.
  nlohmann::json replace = nlohmann::json::object();
  DropLast drop_last = DropLast::none;
  // "task.validation: \"test\" instead of \"hash\"" for each value that is not the exact
  // protocol's; those that the exact protocol leaves to the preset end in "instead of the
  // preset's".
  std::vector<std::string> deviations;
  // Where the code base differs, and why.
  std::vector<std::string> remarks;
};

// Names of the built-in protocols: exact, google, nystromformer, s4, skyformer.
[[nodiscard]] std::vector<std::string> protocol_names();
// The tasks named by a protocol, sorted by name. Throws as load_protocol.
[[nodiscard]] std::vector<std::string> protocol_tasks(std::string_view name);

// A built-in protocol, or that of a JSON file (a name that ends in .json), for a task; a task that
// the protocol does not name gets its common part. Throws Error(usage) for an unknown name and
// Error(data) for a malformed file or one with a built-in protocol's name.
[[nodiscard]] Protocol load_protocol(std::string_view name, std::string_view task);

// A section's values ("task", "model" or "train") after the protocol: those of `preset` with the
// protocol's replacements and settings.
[[nodiscard]] nlohmann::json apply_protocol(const Protocol& protocol, std::string_view section,
                                            const nlohmann::json& preset);

// Throws Error(config) if `drop_last` applies to a split that does not fill one batch: nothing of
// it would be evaluated. An empty split is accepted.
void require_whole_batch(DropLast drop_last, tasks::Split split, std::int64_t examples,
                         std::int64_t batch_size);

// Number of evaluated examples of a split under `drop_last`: all, or those that fill whole batches.
[[nodiscard]] std::int64_t evaluated_examples(DropLast drop_last, bool test, std::int64_t examples,
                                              std::int64_t batch_size);

}  // namespace lra::harness

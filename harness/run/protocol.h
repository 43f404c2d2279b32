#pragma once
// Protocols: the choices in which the arena's code bases differ (lengths, quirks of vocabulary and
// padding, pixels as tokens or numbers, gray formula, pooling, features of a pair, validation rule,
// dropped last batches, which checkpoint counts), as data. `exact` is the default.

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

// What a protocol says about one task. The values go over a preset's: task, model and train are
// named options of these; what a protocol does not name stays the preset's.
struct Protocol {
  std::string name;  // of a built-in protocol, or of the file; its stem if it states none
  bool built_in = true;
  std::string description;  // one line
  nlohmann::json task = nlohmann::json::object();
  nlohmann::json model = nlohmann::json::object();
  nlohmann::json train = nlohmann::json::object();
  // {"model.pooling": {"mean_all": "mean"}}: a preset's value to be replaced by another.
  nlohmann::json replace = nlohmann::json::object();
  DropLast drop_last = DropLast::none;
  // "task.validation: \"test\" instead of \"hash\"" for each value that is not the exact
  // protocol's; those that the exact protocol leaves to the preset end in "instead of the
  // preset's".
  std::vector<std::string> deviations;
  // Where the code base does otherwise, and why.
  std::vector<std::string> remarks;
};

// Names of the built-in protocols: exact, google, nystromformer, s4, skyformer.
[[nodiscard]] std::vector<std::string> protocol_names();
// The tasks that a protocol names, in the order of their names. Throws as load_protocol.
[[nodiscard]] std::vector<std::string> protocol_tasks(std::string_view name);

// A built-in protocol, or that of a JSON file (a name that ends in .json), for a task; a task that
// the protocol does not name gets its common part. Throws Error(usage) for an unknown name and
// Error(data) for a file of another form or with a built-in protocol's name.
[[nodiscard]] Protocol load_protocol(std::string_view name, std::string_view task);

// A section's values ("task", "model" or "train") after the protocol: those of `preset` with the
// protocol's replacements and settings.
[[nodiscard]] nlohmann::json apply_protocol(const Protocol& protocol, std::string_view section,
                                            const nlohmann::json& preset);

// Throws Error(config) if `drop_last` drops the incomplete batches of a split's evaluation and the
// split does not fill one: nothing of it would be evaluated. An empty split is accepted.
void require_whole_batch(DropLast drop_last, tasks::Split split, std::int64_t examples,
                         std::int64_t batch_size);

// How many of `examples` a split's evaluation has under `drop_last`: all, or as many as fill
// whole batches.
[[nodiscard]] std::int64_t evaluated_examples(DropLast drop_last, bool test, std::int64_t examples,
                                              std::int64_t batch_size);

}  // namespace lra::harness

#pragma once
// Rules for every task, checked on a few of its examples: `lra check task NAME`, and the tests of
// all registered tasks. Not installed.

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks {

struct TaskFinding {
  std::string check;                // the rule, as a sentence
  std::vector<std::string> faults;  // none: the rule is satisfied
  std::string skipped;              // why it does not apply; empty: it applies
};

// Makes the task with options; throws as create_task.
using TaskMaker = std::function<std::unique_ptr<Task>(const nlohmann::json& options)>;

// Runs all checks with `options` of the task on the data at `data` (empty: as OpenOptions), with
// caches below `scratch`. An exception in a check becomes a fault with its message.
[[nodiscard]] std::vector<TaskFinding> check_task(const TaskMaker& make,
                                                  const nlohmann::json& options,
                                                  const std::filesystem::path& data,
                                                  const std::filesystem::path& scratch);

}  // namespace lra::tasks

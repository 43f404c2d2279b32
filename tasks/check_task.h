#pragma once
// What must hold of every task, checked on a few of its examples: `lra check task NAME`, and the
// tests for all that are registered. Not installed.

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks {

struct TaskFinding {
  std::string check;                // what must hold, as a sentence
  std::vector<std::string> faults;  // none: it holds
  std::string skipped;              // why it does not apply; empty: it does
};

// Makes the task with options; throws as create_task.
using TaskMaker = std::function<std::unique_ptr<Task>(const nlohmann::json& options)>;

// Runs all checks with `options` of the task on the data at `data` (empty: as OpenOptions), with
// caches below `scratch`. A check that an exception ends has its message as a fault.
[[nodiscard]] std::vector<TaskFinding> check_task(const TaskMaker& make,
                                                  const nlohmann::json& options,
                                                  const std::filesystem::path& data,
                                                  const std::filesystem::path& scratch);

}  // namespace lra::tasks

#include "tasks/task.h"

#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "tasks/io/fetch.h"
#include "tasks/shortcuts.h"

namespace lra::tasks {
namespace {

// The user's own data are neither downloaded nor generated.
void refuse_for_own_data(const TaskInfo& info) {
  if (info.without_files != Origin::own) return;
  fail(ErrorKind::usage, "tasks/{}: uses your own data; give --data PATH to check or train",
       info.name);
}

}  // namespace

using nlohmann::json;

std::string_view split_name(Split split) {
  static constexpr std::array<std::string_view, 3> kNames{"train", "val", "test"};
  return kNames[split_index(split)];
}

json TaskData::details() const { return extra ? *extra : json::object(); }

std::array<std::int64_t, 3> wanted_counts(const OpenOptions& options,
                                          std::array<std::int64_t, 3> defaults) {
  for (std::size_t i = 0; i < defaults.size(); ++i) {
    if (options.counts[i] >= 0) defaults[i] = options.counts[i];
  }
  return defaults;
}

void ExampleSink::fault(const std::string& message) { throw Error(ErrorKind::data, message); }

std::vector<Predictor> Task::predictors() const {
  if (info().head == Head::token) return {};
  return {majority_class()};
}

FetchPlan Task::download() const {
  refuse_for_own_data(info());
  fail(ErrorKind::usage, "tasks/{}: has no official download: {}", info().name,
       info().source.command);
}

json Task::make(const OpenOptions& options, const std::filesystem::path& out) const {
  static_cast<void>(options);
  static_cast<void>(out);
  refuse_for_own_data(info());
  fail(ErrorKind::usage, "tasks/{}: has no generator of official files: {}", info().name,
       info().source.command);
}

Registry<TaskEntry>& task_registry() {
  static Registry<TaskEntry> registry("task");
  return registry;
}

std::unique_ptr<Task> create_task(std::string_view name, const json& options) {
  auto task = task_registry().at(name).create();
  table_of(*task).assign(options, "tasks/" + task_registry().canonical(name));
  task->check_options();
  return task;
}

std::unique_ptr<Task> create_task(std::string_view name, const json& options,
                                  const OpenOptions& data) {
  auto task = create_task(name, options);
  task->settle(data);
  return task;
}

}  // namespace lra::tasks

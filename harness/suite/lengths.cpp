#include "harness/suite/lengths.h"

#include <unistd.h>

#include <exception>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "harness/measure/child.h"
#include "harness/run/data.h"
#include "harness/workers/workers.h"
#include "models/model.h"
#include "tasks/task.h"

namespace lra::harness {
namespace {

constexpr std::int64_t kExamples = 64;
constexpr unsigned kSeconds = 10;

struct Enough : std::exception {};

// Keeps the rows that training examples have in the encoder until there are enough.
class LengthSink final : public tasks::ExampleSink {
 public:
  LengthSink(const models::ModelConfig& model, const models::ModelTask& task)
      : model_(model), task_(task) {}
  void add(tasks::Split split, const tasks::Example& example) override {
    if (split != tasks::Split::train) return;
    for (const auto* ids : {&example.tokens, &example.second}) {
      if (!ids->empty()) lengths.push_back(models::encoder_rows(model_, task_, *ids));
    }
    if (++examples_ == kExamples) throw Enough();
  }
  std::vector<std::int64_t> lengths;

 private:
  const models::ModelConfig& model_;
  models::ModelTask task_;
  std::int64_t examples_ = 0;
};

}  // namespace

std::vector<std::int64_t> sampled_lengths(const RunSpec& spec, const std::filesystem::path& data,
                                          const std::atomic<bool>* stop) {
  Child child([&](Channel& channel) {
    ::alarm(kSeconds);  // ends the child
    const auto task = tasks::create_task(spec.task, spec.task_options);
    tasks::OpenOptions options = open_options(spec, {data, {}, {}});
    options.counts = {kExamples, 1, 1};
    LengthSink sink(spec.model, model_task(task->info()));
    try {
      static_cast<void>(task->read(task->find(options), options, sink));
    } catch (const Enough&) {
    }
    channel.send(sink.lengths);
  });
  const auto answer = child.channel().receive(stop);
  if (stop != nullptr && stop->load()) throw Interrupted();
  return answer ? answer->get<std::vector<std::int64_t>>() : std::vector<std::int64_t>();
}

}  // namespace lra::harness

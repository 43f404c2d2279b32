#include "harness/suite/lengths.h"

#include <unistd.h>

#include <exception>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "harness/measure/child.h"
#include "harness/workers/workers.h"
#include "tasks/task.h"

namespace lra::harness {
namespace {

constexpr std::int64_t kExamples = 64;
constexpr unsigned kSeconds = 10;

struct Enough : std::exception {};

// Keeps the lengths of training examples until there are enough.
class LengthSink final : public tasks::ExampleSink {
 public:
  void add(tasks::Split split, const tasks::Example& example) override {
    if (split != tasks::Split::train) return;
    lengths.push_back(static_cast<std::int64_t>(example.tokens.size()));
    if (!example.second.empty()) {
      lengths.push_back(static_cast<std::int64_t>(example.second.size()));
    }
    if (++examples_ == kExamples) throw Enough();
  }
  std::vector<std::int64_t> lengths;

 private:
  std::int64_t examples_ = 0;
};

}  // namespace

std::vector<std::int64_t> sampled_lengths(const RunSpec& spec, const std::filesystem::path& data,
                                          const std::atomic<bool>* stop) {
  Child child([&](Channel& channel) {
    ::alarm(kSeconds);  // ends the child
    const auto task = tasks::create_task(spec.task, spec.task_options);
    tasks::OpenOptions options;
    options.data = data;
    options.seed = static_cast<std::uint64_t>(spec.data_seed);
    options.counts = {kExamples, 1, 1};
    LengthSink sink;
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

// The files of a run in progress: checkpoint, metrics, events and the selected weights.

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "engine/base/json.h"
#include "harness/run/active_run.h"
#include "harness/run/ended.h"
#include "harness/run/safetensors.h"
#include "models/schedule.h"

namespace lra::harness {

using engine::Tensor;
using nlohmann::json;

CheckpointOwner Run::owner() const {
  return {spec_digest(spec_), training_->data.sha256, spec_.train.steps,
          training_->optimizer.m.numel()};
}

void Run::save_checkpoint() {
  Checkpoint checkpoint{state_,
                        training_->optimizer.updates,
                        metrics_->size(),
                        training_->model->parameters().master(),
                        training_->optimizer.m,
                        training_->optimizer.v,
                        best_};
  write_checkpoint(file(kCheckpointFile), owner(), checkpoint);
  last_checkpoint_ = Clock::now();
}

void Run::restore() {
  std::uint64_t metrics_bytes = 0;
  if (is_there(file(kCheckpointFile))) {
    const Checkpoint checkpoint = read_checkpoint(file(kCheckpointFile), owner());
    const std::int64_t lanes = state_.lanes;
    state_ = checkpoint.state;
    state_.lanes = lanes;
    training_->optimizer.updates = checkpoint.updates;
    metrics_bytes = checkpoint.metrics_bytes;
    const auto copy = [](const Tensor& from, const Tensor& to) {
      std::memcpy(to.raw(), from.raw(), from.bytes());
    };
    copy(checkpoint.master, training_->model->parameters().master());
    copy(checkpoint.m, training_->optimizer.m);
    copy(checkpoint.v, training_->optimizer.v);
    best_ = checkpoint.best;
    workers_.execute([this] { training_->model->parameters().refresh(); });
  }
  metrics_.emplace(file("metrics.jsonl"), metrics_bytes);
  if (!spec_.tensorboard) return;
  events_.emplace(options_.folder, state_.step);
  json values = identity_of(spec_).flatten();
  json named = json::object();
  for (const auto& [pointer, value] : values.items()) {
    std::string name = pointer.substr(1);
    std::replace(name.begin(), name.end(), '/', '.');
    named[name] = value;
  }
  events_->add_hyper_parameters(named);
}

void Run::finish_events(const results::Record& record) {
  if (!events_ || record.status == results::Status::interrupted) return;
  if (record.accuracy.value.test) {
    events_->add({{"split", "test"},
                  {"step", state_.step},
                  {"accuracy", *record.accuracy.value.test},
                  {"loss", record.loss.test.value_or(0)}});
  }
  events_->finish(record.status == results::Status::completed);
}

void Run::log(const json& line) {
  metrics_->add(line);
  if (events_) events_->add(line);
}

void Run::log_training() {
  const StepSums& w = state_.window;
  log({{"split", "train"},
       {"step", state_.step},
       {"loss", w.loss / static_cast<double>(w.steps)},
       {"accuracy",
        static_cast<double>(w.correct) / static_cast<double>(std::max<std::int64_t>(w.counted, 1))},
       {"lr", models::learning_rate(spec_.train, state_.step - 1)},
       {"examples", state_.step * spec_.train.batch_size}});
  logged_ = std::exchange(state_.window, {});
}

void Run::save_model() const {
  TensorFile weights;
  const models::ModelTask& task = training_->model->task();
  // Libraries around PyTorch look for "pt"; the task is described here because spec.json only names
  // it.
  weights.metadata = {{"format", "pt"},
                      {"lra", "lra-model/1"},
                      {"spec_sha256", spec_digest(spec_)},
                      {"data_sha256", training_->data.sha256},
                      {"task", json_text({{"head", name_of(task.head)},
                                          {"classes", task.classes},
                                          {"vocabulary", task.vocabulary},
                                          {"max_length", task.max_length},
                                          {"zero_is_padding", task.zero_is_padding},
                                          {"pixel_offset", task.pixel_offset}})}};
  const auto& parameters = training_->model->parameters();
  for (const auto& entry : parameters.entries()) {
    weights.tensors.emplace_back(entry.name, parameters.tensor(entry));
  }
  write_safetensors(file("model.safetensors"), weights);
}

}  // namespace lra::harness

#include "harness/saved_run.h"

#include <cstring>
#include <map>

#include "engine/base/file.h"
#include "harness/safetensors.h"

namespace lra::harness {
namespace {

namespace fs = std::filesystem;

fs::path required(const fs::path& folder, const char* name, const char* meaning) {
  const fs::path file = folder / name;
  if (!fs::exists(file)) {
    fail(ErrorKind::data, "{}: no {}; {}", folder.string(), name, meaning);
  }
  return file;
}

void fill_weights(const TensorFile& weights, const fs::path& file, models::Model& model) {
  std::map<std::string, engine::Tensor> tensors(weights.tensors.begin(), weights.tensors.end());
  const auto& parameters = model.parameters();
  if (tensors.size() != parameters.entries().size()) {
    fail(ErrorKind::data, "{}: {} tensors, expected {}: weights of another version", file.string(),
         tensors.size(), parameters.entries().size());
  }
  for (const auto& entry : parameters.entries()) {
    const auto found = tensors.find(entry.name);
    if (found == tensors.end() || !(found->second.shape() == entry.shape)) {
      fail(ErrorKind::data, "{}: {}: got {}, expected {}: weights of another version",
           file.string(), entry.name,
           found == tensors.end() ? "none" : found->second.shape().text(), entry.shape.text());
    }
    const engine::Tensor to = parameters.tensor(entry);
    std::memcpy(to.raw(), found->second.raw(), to.bytes());
  }
}

}  // namespace

SavedRun load_run(const fs::path& folder, Workers& workers) {
  SavedRun run;
  const fs::path spec_file = required(folder, "spec.json", "expected the folder of a run");
  run.spec = spec_from_json(read_json(spec_file), spec_file.string());
  const fs::path result_file = required(folder, "result.json", "the run is not finished");
  run.record = results::parse_record(read_file(result_file), result_file.string());
  const fs::path file =
      required(folder, "model.safetensors", "a run leaves its weights when it is completed");
  const TensorFile weights = read_safetensors(file);
  const auto text = [&](const char* key) {
    const auto found = weights.metadata.find(key);
    return found == weights.metadata.end() ? std::string("none") : found->second;
  };
  if (text("format") != "lra-model/1") {
    fail(ErrorKind::data, "{}: weights of another version; got format {}, expected lra-model/1",
         file.string(), text("format"));
  }
  if (text("spec_sha256") != spec_digest(run.spec)) {
    fail(ErrorKind::data,
         "{}: weights of another version or run; got specification {}, expected {}", file.string(),
         text("spec_sha256").substr(0, 16), spec_digest(run.spec).substr(0, 16));
  }
  const tasks::TaskInfo info = tasks::create_task(run.spec.task, run.spec.task_options)->info();
  run.model = std::make_unique<models::Model>(run.spec.model, model_task(info), run.spec.attention,
                                              run.spec.attention_options);
  workers.execute([&] {
    run.model->initialise(static_cast<std::uint64_t>(run.spec.seed),
                          run.spec.precision == "bf16" ? engine::DType::bf16 : engine::DType::f32);
    fill_weights(weights, file, *run.model);
    run.model->parameters().refresh();
  });
  return run;
}

}  // namespace lra::harness

#include "harness/run/saved_run.h"

#include <cstring>
#include <map>
#include <optional>
#include <string>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/text.h"
#include "harness/run/ended.h"
#include "harness/run/safetensors.h"

namespace lra::harness {
namespace {

namespace fs = std::filesystem;

fs::path required(const fs::path& folder, const char* name, const char* meaning) {
  fs::path file = folder / name;
  if (!is_there(file)) {
    fail(ErrorKind::data, "{}: no {}; {}", folder.string(), name, meaning);
  }
  return file;
}

// Whether the run's data are to be taken from where they were.
bool takes_place(const SavedRun& run, const DataOptions& options) {
  return options.data.empty() && run.data && !run.data->place.empty();
}

// Throws Error(data) if a file of the folder is of a run on other data; `digest` of unknown data is
// empty.
void require_data(const SavedRun& run, const std::optional<std::string>& digest,
                  const fs::path& file, const char* what) {
  if (!digest || !run.data || run.data->sha256.empty() || *digest == run.data->sha256) return;
  fail(ErrorKind::data, "{}: {} of a run on other data; got data of sha256 {}, expected {} ({})",
       file.string(), what, digest->substr(0, 12), run.data->sha256.substr(0, 12),
       run.data->description);
}

[[noreturn]] void fail_missing(const SavedRun& run, const std::string& got) {
  fail(ErrorKind::data,
       "{}: it was trained on the data in {}, which is missing; {}give --data PATH",
       run.folder.string(), valid_utf8(run.data->place), got);
}

// Whether files of the run's task are where no --data says that they are.
bool has_files_elsewhere(const SavedRun& run, const DataOptions& options) {
  try {
    const auto task = tasks::create_task(run.spec.task, run.spec.task_options);
    return !task->find(open_options(run.spec, options)).path.empty();
  } catch (const Error&) {  // a task that looks at --data alone
    return false;
  }
}

}  // namespace

std::unique_ptr<models::Model> model_with(const Weights& weights, const RunSpec& spec,
                                          const tasks::TaskInfo& info, Workers& workers) {
  auto model = std::make_unique<models::Model>(spec.model, model_task(info), spec.attention,
                                               spec.attention_options);
  const auto& parameters = model->parameters();
  const std::map<std::string, engine::Tensor> tensors(weights.tensors.begin(),
                                                      weights.tensors.end());
  if (tensors.size() != parameters.entries().size()) {
    fail(weights.kind, "{}: {} tensors, expected {}: {}", weights.where, tensors.size(),
         parameters.entries().size(), weights.otherwise);
  }
  for (const auto& entry : parameters.entries()) {
    const auto found = tensors.find(entry.name);
    if (found == tensors.end() || !(found->second.shape() == entry.shape)) {
      fail(weights.kind, "{}: {}: got {}, expected {}: {}", weights.where, entry.name,
           found == tensors.end() ? "none" : found->second.shape().text(), entry.shape.text(),
           weights.otherwise);
    }
  }
  workers.execute([&] {
    model->initialise(static_cast<std::uint64_t>(spec.seed), engine::dtype_of(spec.precision));
    for (const auto& entry : parameters.entries()) {
      const engine::Tensor to = parameters.tensor(entry);
      std::memcpy(to.raw(), tensors.at(entry.name).raw(), to.bytes());
    }
    model->parameters().refresh();
  });
  return model;
}

DataOptions as_trained(const SavedRun& run, DataOptions options) {
  if (!takes_place(run, options)) return options;
  if (!is_there(run.data->place)) fail_missing(run, "");
  options.data = run.data->place;
  options.via = "where they were in training";
  return options;
}

RunSpec with_one_split(RunSpec spec, tasks::Split split) {
  for (const tasks::Split other : tasks::kSplits) {
    if (other != split) spec.counts[tasks::split_index(other)] = 0;
  }
  spec.counts_wished = {true, true, true};
  return spec;
}

RunData open_data_of(const SavedRun& run, DataOptions options, bool other_data,
                     tasks::Split split) {
  const bool missing = takes_place(run, options) && !is_there(run.data->place);
  // The same may be elsewhere, or be made again.
  const bool elsewhere = missing && (run.data->origin == name_of(Origin::generated) ||
                                     has_files_elsewhere(run, options));
  if (!elsewhere) options = as_trained(run, std::move(options));
  if (other_data) {
    // Generated examples may depend on their number.
    const auto task = tasks::create_task(run.spec.task, run.spec.task_options);
    const bool files = !task->find(open_options(run.spec, options)).path.empty();
    if (!files) return open_data(run.spec, options);
    RunSpec spec = with_one_split(run.spec, split);
    spec.counts[tasks::split_index(split)] = -1;  // the run's counts do not apply to them
    return open_data(spec, options);
  }
  RunData opened = open_data(run.spec, options);
  if (missing && opened.used.sha256 != run.data->sha256) {
    fail_missing(run, fmt::format("got {}; ", describe(opened.used)));
  }
  if (run.data) require_same_data(opened.used, *run.data, run.folder);
  return opened;
}

SavedRun load_run(const fs::path& folder, Workers& workers) {
  SavedRun run;
  run.folder = folder;
  const fs::path spec_file = required(folder, "spec.json", "expected the folder of a run");
  run.spec = spec_from_json(read_json(spec_file), spec_file.string());
  const fs::path result_file = required(folder, "result.json", "the run is not finished");
  run.record = *saved_record(run.spec, folder);
  run.data = data_of_folder(folder);
  require_data(run, run.record.task.data_sha256, result_file, "result");
  const fs::path file =
      required(folder, "model.safetensors", "a run writes its weights when it is completed");
  const TensorFile weights = read_safetensors(file);
  const auto text = [&](const char* key) {
    const auto found = weights.metadata.find(key);
    return found == weights.metadata.end() ? std::string("none") : found->second;
  };
  // Earlier versions stored it in `format`.
  const std::string version = text(text("format") == "pt" ? "lra" : "format");
  if (version != "lra-model/1") {
    fail(ErrorKind::data, "{}: weights of another version; got format {}, expected lra-model/1",
         file.string(), version);
  }
  if (text("spec_sha256") != spec_digest(run.spec)) {
    fail(ErrorKind::data,
         "{}: weights of another version or run; got specification {}, expected {}", file.string(),
         text("spec_sha256").substr(0, 16), spec_digest(run.spec).substr(0, 16));
  }
  // Files of earlier versions do not name their data.
  const auto data = weights.metadata.find("data_sha256");
  if (data != weights.metadata.end()) require_data(run, data->second, file, "weights");
  const tasks::TaskInfo info = tasks::create_task(run.spec.task, run.spec.task_options)->info();
  run.model =
      model_with({weights.tensors, file.string(), ErrorKind::data, "weights of another version"},
                 run.spec, info, workers);
  return run;
}

}  // namespace lra::harness

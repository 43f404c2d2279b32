// lra train: one run.

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "harness/cli/cli.h"
#include "harness/cli/definitions.h"
#include "harness/cli/output.h"
#include "harness/cli/progress.h"
#include "harness/cli/signals.h"
#include "harness/run/ended.h"
#include "harness/run/init.h"
#include "harness/run/run.h"

namespace lra::harness::cli {
namespace {

struct TrainArguments {
  Request request;
  std::string data, out, init;
  int threads = 0;
  double checkpoint_seconds = 30;
  bool json = false;
};

std::string percent(const results::Real& share) {
  return share ? fmt::format("{:.2f} %", 100 * *share) : "-";
}

void print_summary(const results::Record& r, const std::string& folder) {
  say("{} on {} ({}, seed {}, {}): {}\n", r.attention.label, r.task.title, r.preset, r.seed,
      name_of(r.precision), name_of(r.status));
  if (r.failure) say("  {}\n", *r.failure);
  if (!r.training.stopped.empty()) {
    say("  stopped   at step {} of {}: {}\n", r.training.steps_done.value_or(0),
        r.training.steps.value_or(0), r.training.stopped);
  }
  say("  data      {} ({})\n", r.task.origin ? name_of(*r.task.origin) : "none",
      r.task.data_description);
  say("  accuracy  test {}  val {}  train {}\n", percent(r.accuracy.value.test),
      percent(r.accuracy.value.val), percent(r.accuracy.value.train));
  for (const auto& b : r.baselines) {
    say("  baseline  {:5.2f} %  {}{}\n", 100 * b.accuracy, b.title,
        b.agreement ? fmt::format("  (agrees with the model on {:.1f} %)", 100 * *b.agreement)
                    : "");
  }
  if (r.speed.train_tokens_per_second) {
    say("  speed     {:.2f} steps/s, {:.0f} tokens/s in training\n",
        *r.speed.train_steps_per_second, *r.speed.train_tokens_per_second);
  }
  say("  memory    {:.1f} MB of tensors, {:.1f} MB resident at most\n",
      static_cast<double>(r.memory.peak_tensor_bytes.value_or(0)) / 1e6,
      static_cast<double>(r.memory.peak_rss_bytes.value_or(0)) / 1e6);
  say("  folder    {}\n", folder);
}

int train(const TrainArguments& a) {
  Request request = a.request;
  request.data = a.data;
  if (!a.init.empty()) request.settings.push_back("init=" + a.init);
  RunSpec spec = resolve(request);
  RunOptions options;
  if (a.out.empty()) {
    options.folder = begun_folder(spec, "runs", [](const RunSpec& s) {
      return fmt::format("{}-{}-{}-s{}-{}", task_name(s), s.attention, s.preset, s.seed,
                         spec_digest(s).substr(0, 8));
    });
  } else {
    options.folder = a.out;
    spec = as_begun(std::move(spec), options.folder);
  }
  options.data = a.data;
  options.checkpoint_seconds = a.checkpoint_seconds;
  options.stop = &stop_on_signals();
  ProgressLine line(fmt::format("{}/{}", task_name(spec), spec.attention));
  bool worked = false;
  options.progress = [&line, &worked](const Progress& p) {
    worked = true;
    line(p);
  };
  std::vector<std::string> notes;
  options.on_data = [&notes](const RunData& opened) { notes = opened.notes; };
  options.on_init = [&](const InitUsed& used) {
    line.end();
    note("lra: init: {} of the model's {} tensors taken from {}{}{}{}{}\n", used.taken.size(),
         used.taken.size() + used.left.size(), spec.init_file,
         used.left.empty() ? "" : "; drawn by the seed: ",
         fmt::format("{}", fmt::join(used.left, ", ")),
         used.unused.empty() ? "" : "; of the file, not used: ",
         fmt::format("{}", fmt::join(used.unused, ", ")));
  };
  Workers workers(a.threads);
  results::Record record;
  try {
    record = run_training(spec, options, workers);
  } catch (const Interrupted&) {
    line.end();
    note("lra: interrupted; the same command continues\n");
    return kInterrupted;
  }
  line.end();
  if (!worked && record.status == results::Status::completed) {
    note("lra: {}: already completed; this is its record\n", options.folder.string());
  }
  if (a.json) {
    say("{}\n", results::to_json(record).dump(2));
  } else {
    print_summary(record, options.folder.string());
    for (const std::string& note : notes) say("  note      {}\n", note);
  }
  if (record.status == results::Status::diverged) return exit_code(ErrorKind::numeric);
  if (record.status == results::Status::interrupted) {
    note("lra: interrupted at step {}; the same command continues\n",
         record.training.steps_done.value_or(0));
    return kInterrupted;
  }
  return 0;
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand(
      "train", "train one model on one task; repeat the command to continue an interrupted run");
  auto a = std::make_shared<TrainArguments>();
  command->add_option("--task", a->request.task, "task (lra list tasks)")
      ->type_name("TASK")
      ->required();
  command->add_option("--attention", a->request.attention, "attention variant (lra list attention)")
      ->type_name("ATTENTION")
      ->required();
  command
      ->add_option("--preset", a->request.preset,
                   "model and training settings: preset name or JSON file")
      ->type_name("PRESET")
      ->capture_default_str();
  command
      ->add_option(
          "--protocol", a->request.protocol,
          "data and selection rules: exact, google, nystromformer, skyformer, s4, or a JSON file")
      ->type_name("PROTOCOL")
      ->capture_default_str();
  command->add_option("--seed", a->request.seed, "seed of weights, order and dropout")
      ->check(non_negative())
      ->capture_default_str();
  command->add_option(
      "--data", a->data,
      "folder or archive with the official data (default: $LRA_DATA, then the user's cache); with "
      "--task file, your own file or folder");
  command->add_option("--out", a->out,
                      "output folder of the run (default: runs/TASK-ATTENTION-...)");
  command
      ->add_option("--precision", a->request.precision,
                   "arithmetic: f32, bf16, or auto (bf16 where the CPU has it)")
      ->capture_default_str();
  command->add_option("--init", a->init,
                      "weights to start from (model.safetensors of a run, or of PyTorch with the "
                      "same names); tensors of the same name and shape are taken");
  command->add_option("--threads", a->threads, "number of threads; 0 means all cores (default: 0)")
      ->check(CLI::Range(0, 4096));
  command->add_option("--set", a->request.settings,
                      "setting to change: model.*, train.*, task.*, attention.*, "
                      "data.{seed,train,val,test,path}, diagnostics.{every,samples,rows,share}, "
                      "log.tensorboard, lanes, init, evaluate=validation (repeatable)");
  command->add_option("--checkpoint-seconds", a->checkpoint_seconds, "seconds between checkpoints")
      ->check(non_negative())
      ->capture_default_str();
  command->add_flag("--json", a->json, "print result.json instead of the summary");
  command->callback([a, &action] { action = [a] { return train(*a); }; });
}

}  // namespace lra::harness::cli

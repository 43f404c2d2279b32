#pragma once
// A search for settings that is the same for every attention of a task: the same number of trials
// with the same draws from a grid, on validation alone, poor ones stopped by successive halving
// (Jamieson, Talwalkar 2016, "Non-stochastic Best Arm Identification and Hyperparameter
// Optimization", arXiv 1502.07943) with as many survivors for each attention.
//
// Rung r of R trains the survivors from the beginning for S / 2^(R - 1 - r) steps, each with a
// complete schedule, where S is `share` of the suite's steps; then the better half, rounded up,
// continues. A trial is an ordinary run of an ordinary suite.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "harness/suite/suite.h"
#include "results/record/record.h"

namespace lra::harness {

struct SearchOptions {
  std::int64_t trials = 8;  // of each attention of each task
  std::int64_t rungs = 3;
  double share = 0.1;               // of the suite's steps given to a trial of the last rung
  std::int64_t seed = 0;            // of the draw
  std::filesystem::path data = {};  // --data, of tasks whose options follow from their data
};

// The values of each setting. `warmup_share` is train.warmup_steps as a share of the steps.
using Grid = std::map<std::string, std::vector<nlohmann::json>>;

// The default grid: learning rate, warm-up, embedding scale, dropout.
[[nodiscard]] Grid default_grid();
// The suite's "tune", or the default grid. Throws Error(config) for settings that change the data
// or the steps of a run, because trials must share both.
[[nodiscard]] Grid grid_of(const nlohmann::json& file, const std::string& where);
// `options.trials` different points of the grid as {setting: value}, the same for the same task and
// seed. Throws Error(usage) if the grid has fewer.
[[nodiscard]] std::vector<nlohmann::json> draw_trials(const Grid& grid, const std::string& task,
                                                      const SearchOptions& options);
// Steps and trials of each rung, for a run of `steps` steps.
[[nodiscard]] std::vector<results::SearchRung> plan_rungs(std::int64_t steps,
                                                          const SearchOptions& options);

class Search {
 public:
  // `settings` are added to every run, before those of a trial. Throws as load_suite, grid_of and
  // draw_trials.
  Search(nlohmann::json file, std::string name, std::vector<std::string> settings,
         const SearchOptions& options);

  [[nodiscard]] std::size_t rungs() const { return static_cast<std::size_t>(options_.rungs); }
  // The runs of a rung; all rungs before it must have been judged.
  [[nodiscard]] Suite rung(std::size_t rung) const;
  // Takes the results of the runs of a rung, by name, and decides which trials continue. Returns
  // the names of failed runs with the reason. A diverged run counts as a result and ranks last.
  std::map<std::string, std::string> judge(
      std::size_t rung, const std::function<results::Record(const std::string& run)>& record_of);

  // Counts a run of the search's folder that no rung of this search names, a trial of a call with
  // other options: for each attention of its name on its task and data. After the last rung.
  void add_further(const results::Record& record);

  // Cost of the search: steps of all its trials, relative to those of one run of each attention on
  // each task.
  [[nodiscard]] double price() const;
  // The suite with the chosen settings under "tuned", after the last rung. An attention without a
  // successful trial keeps the suite's settings and has no entry.
  [[nodiscard]] nlohmann::json tuned_suite() const;
  // A table of the trials of each task, and the expected best of k of them (results/analysis).
  [[nodiscard]] std::string markdown() const;

 private:
  struct Trial {
    bool alive = true;  // takes part in the next rung
    results::SearchTrial outcome;
  };
  // An attention on a task.
  struct Pair {
    SuiteRun run;  // of the suite's first seed
    std::vector<results::SearchRung> plan;
    std::vector<Trial> trials;
    std::int64_t tokens = 0;
    std::string data_sha256;  // of the trials' data
    results::SearchFurther further{};
  };
  [[nodiscard]] SuiteRun trial_run(const Pair& pair, std::size_t trial, std::size_t rung) const;
  [[nodiscard]] static std::optional<std::size_t> best(const Pair& pair);
  [[nodiscard]] results::SearchPart part_of(const Pair& pair) const;
  [[nodiscard]] nlohmann::json entry(const char* list, std::size_t at) const;
  void markdown_of(const std::vector<const Pair*>& pairs, std::string& text) const;

  nlohmann::json file_;
  std::string name_;
  std::vector<std::string> settings_;
  SearchOptions options_;
  Suite suite_;
  std::vector<Pair> pairs_;
};

}  // namespace lra::harness

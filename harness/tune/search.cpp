#include "harness/tune/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <set>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/random.h"
#include "results/analysis/statistics.h"

namespace lra::harness {
namespace {

using nlohmann::json;

constexpr const char* kWarmupShare = "warmup_share";

std::string text_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::int64_t share_of(double share, std::int64_t steps) {
  return static_cast<std::int64_t>(std::llround(share * static_cast<double>(steps)));
}

// A trial's settings in the form of --set, for a run of `steps` steps.
std::vector<std::string> settings_of(const json& trial, std::int64_t steps) {
  std::vector<std::string> settings;
  for (const auto& [key, value] : trial.items()) {
    settings.push_back(key == kWarmupShare ? fmt::format("train.warmup_steps={}",
                                                         share_of(value.get<double>(), steps))
                                           : key + "=" + text_of(value));
  }
  return settings;
}

std::string percent(const results::Real& share) {
  return share ? fmt::format("{:.2f}", 100 * *share) : "—";
}

}  // namespace

Grid default_grid() {
  return {{"train.lr", {1e-4, 3e-4, 1e-3, 3e-3}},
          {kWarmupShare, {0.02, 0.1, 0.3}},
          {"model.embedding_std", {0.02, 0.2, 0.7}},
          {"model.dropout", {0.0, 0.1}}};
}

Grid grid_of(const json& file, const std::string& where) {
  if (!file.contains("tune")) return default_grid();
  Grid grid;
  for (const auto& [key, values] : file["tune"].items()) {
    for (const char* fixed : {"task.", "data.", "train.steps", "train.batch_size", "evaluate",
                              "train.warmup_steps", "diagnostics."}) {
      if (!key.starts_with(fixed)) continue;
      fail(ErrorKind::config, "{}: /tune/{}: trials share data, steps and batches; try {}", where,
           key, key == "train.warmup_steps" ? kWarmupShare : "a separate suite for each value");
    }
    grid[key] = values.get<std::vector<json>>();
    const auto in_range = [](const json& v) { return v.is_number() && v >= 0 && v < 1; };
    if (key == kWarmupShare && !std::all_of(values.begin(), values.end(), in_range)) {
      fail(ErrorKind::config, "{}: /tune/{}: got {}, expected shares of the steps in [0, 1)", where,
           key, values.dump());
    }
    if (std::set<json>(values.begin(), values.end()).size() != values.size()) {
      fail(ErrorKind::config, "{}: /tune/{}: got {}, expected different values", where, key,
           values.dump());
    }
  }
  return grid;
}

std::vector<json> draw_trials(const Grid& grid, const std::string& task,
                              const SearchOptions& options) {
  std::size_t points = 1;
  for (const auto& [key, values] : grid) points *= values.size();
  if (options.trials < 1 || static_cast<std::size_t>(options.trials) > points) {
    fail(ErrorKind::usage, "tune: --trials: got {}, expected 1 to {}, the points of the grid",
         options.trials, points);
  }
  std::vector<std::size_t> order(points);
  std::iota(order.begin(), order.end(), std::size_t{0});
  RandomStream random(RandomKey(static_cast<std::uint64_t>(options.seed)).of("tune").of(task));
  std::vector<json> trials;
  for (std::size_t t = 0; t < static_cast<std::size_t>(options.trials); ++t) {
    std::swap(order[t], order[t + random.below(static_cast<std::uint32_t>(points - t))]);
    std::size_t point = order[t];
    json& trial = trials.emplace_back(json::object());
    for (const auto& [key, values] : grid) {
      trial[key] = values[point % values.size()];
      point /= values.size();
    }
  }
  return trials;
}

std::vector<results::SearchRung> plan_rungs(std::int64_t steps, const SearchOptions& options) {
  std::vector<results::SearchRung> plan;
  const std::int64_t last = share_of(options.share, steps);
  for (std::int64_t r = 0; r < options.rungs; ++r) {
    const std::int64_t more = options.rungs - 1 - r;
    plan.push_back({std::max<std::int64_t>(1, last >> more),
                    (options.trials + (std::int64_t{1} << r) - 1) >> r});
  }
  return plan;
}

Search::Search(json file, std::string name, std::vector<std::string> settings,
               const SearchOptions& options)
    : file_(with_absolute_paths(std::move(file), name)),
      name_(std::move(name)),
      settings_(std::move(settings)),
      options_(options) {
  // The written suite is in another folder.
  const auto here = std::filesystem::current_path();
  for (std::string& setting : settings_) setting = placed_setting(setting, here);
  file_.erase("tuned");
  suite_ = make_suite(file_, name_, settings_, options_.data);
  if (suite_.runs.empty()) fail(ErrorKind::config, "suite {}: no tasks to search on", name_);
  const Grid grid = grid_of(file_, "suite " + name_);
  file_["tune"] = grid;
  file_["name"] = suite_.name + "-tuned";
  if (file_["attentions"].size() == 1 && suite_.runs.back().attention > 0) {
    json all = json::array();  // of "all"
    for (const SuiteRun& run : suite_.runs) {
      if (run.task > 0 || run.attention < all.size()) continue;
      json named = {{"name", run.request.attention}};
      if (file_["attentions"][0].is_object()) {
        named.update(file_["attentions"][0]);
        named["name"] = run.request.attention;
      }
      all.push_back(std::move(named));
    }
    file_["attentions"] = std::move(all);
  }
  const std::int64_t first_seed = suite_.runs.front().spec.seed;
  for (const SuiteRun& run : suite_.runs) {
    if (run.spec.seed != first_seed) continue;
    Pair pair{run, plan_rungs(run.spec.train.steps, options_), {}, 0, {}};
    for (const json& drawn : draw_trials(grid, run.spec.task, options_)) {
      pair.trials.push_back({true, {{drawn.dump()}, 0, {}, {}}});
    }
    // An invalid trial, such as one that validates on the test split, is refused here.
    if (!pair.trials.empty()) static_cast<void>(trial_run(pair, 0, 0));
    pairs_.push_back(std::move(pair));
  }
}

SuiteRun Search::trial_run(const Pair& pair, std::size_t trial, std::size_t rung) const {
  const std::int64_t steps = pair.plan[rung].steps;
  const models::TrainConfig& whole = pair.run.spec.train;
  Request request = pair.run.request;
  const double warmup = static_cast<double>(whole.warmup_steps) / static_cast<double>(whole.steps);
  request.settings.push_back(fmt::format("train.steps={}", steps));
  request.settings.push_back(fmt::format("train.warmup_steps={}", share_of(warmup, steps)));
  for (std::string& setting :
       settings_of(json::parse(pair.trials[trial].outcome.settings.text), steps)) {
    request.settings.push_back(std::move(setting));
  }
  request.settings.emplace_back("evaluate=validation");
  return make_run(std::move(request), pair.run.spec.seed);
}

Suite Search::rung(std::size_t rung) const {
  Suite suite;
  suite.name = fmt::format("{}, rung {} of {}", suite_.name, rung + 1, rungs());
  suite.description = suite_.description;
  std::set<std::string> names;  // short warm-ups may come to the same number of steps
  for (const Pair& pair : pairs_) {
    for (std::size_t t = 0; t < pair.trials.size(); ++t) {
      if (!pair.trials[t].alive) continue;
      SuiteRun run = trial_run(pair, t, rung);
      if (names.insert(run.name).second) suite.runs.push_back(std::move(run));
    }
  }
  return suite;
}

std::map<std::string, std::string> Search::judge(
    std::size_t rung, const std::function<results::Record(const std::string&)>& record_of) {
  std::map<std::string, std::string> failed;
  for (Pair& pair : pairs_) {
    std::vector<std::size_t> order;
    std::set<std::string> counted;
    for (std::size_t t = 0; t < pair.trials.size(); ++t) {
      if (!pair.trials[t].alive) continue;
      const std::string name = trial_run(pair, t, rung).name;
      const results::Record record = record_of(name);
      pair.data_sha256 = record.task.data_sha256.value_or(pair.data_sha256);
      auto& outcome = pair.trials[t].outcome;
      outcome.last.reset();
      if (record.status == results::Status::completed) outcome.last = record.accuracy.value.val;
      if (!outcome.last && record.status != results::Status::diverged) {
        failed[name] = record.failure.value_or("no validation accuracy");
      }
      if (rung == 0) outcome.first = outcome.last;
      ++outcome.rungs;
      if (counted.insert(name).second) pair.tokens += record.training.tokens.value_or(0);
      order.push_back(t);
    }
    const auto rank = [&pair](std::size_t t) { return pair.trials[t].outcome.last.value_or(-1); };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return rank(a) > rank(b); });
    if (rung + 1 == pair.plan.size()) continue;
    for (std::size_t i = 0; i < order.size(); ++i) {
      pair.trials[order[i]].alive = i < static_cast<std::size_t>(pair.plan[rung + 1].trials);
    }
  }
  return failed;
}

void Search::add_further(const results::Record& record) {
  if (record.evaluated != "validation" || record.status == results::Status::failed) return;
  for (Pair& pair : pairs_) {
    if (record.task.name != task_name(pair.run.spec) ||
        record.attention.name != pair.run.spec.attention ||
        record.task.data_sha256.value_or("") != pair.data_sha256) {
      continue;
    }
    ++pair.further.runs;
    pair.further.tokens += record.training.tokens.value_or(0);
  }
}

double Search::price() const {
  double trials = 0, whole = 0;
  for (const Pair& pair : pairs_) {
    for (const auto& rung : pair.plan) trials += static_cast<double>(rung.steps * rung.trials);
    whole += static_cast<double>(pair.run.spec.train.steps);
  }
  return trials / whole;
}

std::optional<std::size_t> Search::best(const Pair& pair) {
  std::optional<std::size_t> best;
  for (std::size_t t = 0; t < pair.trials.size(); ++t) {
    const Trial& trial = pair.trials[t];
    if (!trial.alive || !trial.outcome.last) continue;
    if (!best || *trial.outcome.last > *pair.trials[*best].outcome.last) best = t;
  }
  return best;
}

results::SearchPart Search::part_of(const Pair& pair) const {
  results::SearchPart part{options_.seed, pair.tokens, pair.plan, {}, {}};
  for (const Trial& trial : pair.trials) part.trials.push_back(trial.outcome);
  part.data_sha256 = pair.data_sha256;
  part.further = pair.further;
  return part;
}

json Search::entry(const char* list, std::size_t at) const { return file_.at(list).at(at); }

json Search::tuned_suite() const {
  json file = file_;
  file["tuned"] = json::array();
  const auto add_to = [](json& settings, const std::vector<std::string>& all) {
    for (const std::string& setting : all) {
      const std::size_t equals = setting.find('=');
      const std::string value = setting.substr(equals + 1);
      const json number = json::parse(value, nullptr, false);
      settings[setting.substr(0, equals)] =
          number.is_number() || number.is_boolean() ? number : json(value);
    }
  };
  // The command line's settings apply everywhere: also where no trial was chosen, and to the bench.
  if (!settings_.empty()) add_to(file["settings"], settings_);
  for (const Pair& pair : pairs_) {
    const auto chosen = best(pair);
    if (!chosen && settings_.empty()) continue;
    json settings = json::object();
    add_to(settings, settings_);
    if (chosen) {
      add_to(settings, settings_of(json::parse(pair.trials[*chosen].outcome.settings.text),
                                   pair.run.spec.train.steps));
    }
    file["tuned"].push_back({{"task", entry("tasks", pair.run.task)},
                             {"attention", entry("attentions", pair.run.attention)},
                             {"settings", std::move(settings)},
                             {"search", results::to_json(part_of(pair))}});
  }
  return file;
}

void Search::markdown_of(const std::vector<const Pair*>& pairs, std::string& text) const {
  const Pair& first = *pairs.front();
  text += fmt::format("## {}\n\n", task_name(first.run.spec));
  std::string heads, rule;
  for (const Pair* pair : pairs) {
    heads += fmt::format(" {} |", entry("attentions", pair->run.attention).is_string()
                                      ? pair->run.request.attention
                                      : entry("attentions", pair->run.attention).dump());
    rule += "---:|";
  }
  text += fmt::format(
      "Validation accuracy (%) after the first rung, and after the last one that "
      "the trial took part in; {}.\n\n| trial |{}\n|---|{}\n",
      describe(part_of(first)), heads, rule);
  for (std::size_t t = 0; t < first.trials.size(); ++t) {
    text += fmt::format("| `{}` |", first.trials[t].outcome.settings.text);
    for (const Pair* pair : pairs) {
      const auto& outcome = pair->trials[t].outcome;
      const bool chosen = best(*pair) == t;
      text += fmt::format(" {}{}{} |", percent(outcome.first),
                          outcome.rungs > 1 ? " → " + percent(outcome.last) : "",
                          chosen ? " (chosen)" : "");
    }
    text += "\n";
  }
  text += fmt::format("\nExpected best of k trials after the first rung:\n\n| k |{}\n|---|{}\n",
                      heads, rule);
  std::vector<std::vector<double>> curves;
  for (const Pair* pair : pairs) {
    std::vector<double> values;
    for (const Trial& trial : pair->trials) values.push_back(trial.outcome.first.value_or(0));
    curves.push_back(results::expected_best_of(std::move(values)));
  }
  for (std::size_t k = 0; k < first.trials.size(); ++k) {
    text += fmt::format("| {} |", k + 1);
    for (const auto& curve : curves) text += fmt::format(" {:.2f} |", 100 * curve[k]);
    text += "\n";
  }
  text += "\n";
}

std::string Search::markdown() const {
  std::string text = fmt::format(
      "# Search for settings: {}\n\nThe same draws for every attention of a task, validation "
      "alone; the better half of a rung, rounded up, continues.\nThe expected best of k of n "
      "trials is Σ vᵢ ((i/n)ᵏ − ((i−1)/n)ᵏ) over the sorted accuracies (Dodge et al. 2019, arXiv "
      "1909.03004);\na trial that diverged or failed is — and counts as 0.\n\n",
      suite_.name);
  std::map<std::size_t, std::vector<const Pair*>> tasks;
  for (const Pair& pair : pairs_) tasks[pair.run.task].push_back(&pair);
  for (const auto& [task, pairs] : tasks) markdown_of(pairs, text);
  return text;
}

}  // namespace lra::harness

#include "tasks/probes/probe_task.h"

#include <nlohmann/json.hpp>
#include <numeric>
#include <string_view>
#include <unordered_set>

#include "engine/base/error.h"
#include "engine/base/file.h"

namespace lra::tasks::probes {

using nlohmann::json;

namespace {

std::string_view bytes_of(const std::vector<Token>& tokens) {
  return {reinterpret_cast<const char*>(tokens.data()), tokens.size() * sizeof(Token)};
}

}  // namespace

Source ProbeTask::find(const OpenOptions& options) const {
  const TaskInfo task = info();
  Source source;
  source.identity = json{{"task", task.name},
                         {"version", task.version},
                         {"settings", settings()},
                         {"seed", options.seed},
                         {"counts", wanted_counts(options, default_counts())}}
                        .dump();
  return source;
}

Reading ProbeTask::read(const Source&, const OpenOptions& options, ExampleSink& sink) const {
  const TaskInfo task = info();
  const auto counts = wanted_counts(options, default_counts());
  const RandomKey key =
      RandomKey(options.seed).of(task.name).of(static_cast<std::uint64_t>(task.version));
  std::unordered_set<std::string> earlier;
  for (const Split split : kSplits) {
    std::vector<std::string> own;
    for (std::int64_t i = 0; i < counts[split_index(split)]; ++i) {
      const RandomKey example_key = key.of(split_name(split)).of(static_cast<std::uint64_t>(i));
      Drawn drawn;
      constexpr std::uint64_t kAttempts = 100;
      for (std::uint64_t attempt = 0; attempt < kAttempts; ++attempt) {
        RandomStream random(example_key.of(attempt));
        drawn = draw(random);
        if (earlier.count(std::string(bytes_of(drawn.tokens))) == 0) break;
        if (attempt + 1 == kAttempts) {
          fail(ErrorKind::config, "tasks/{}: too few distinct examples for {} disjoint splits",
               task.name, kSplits.size());
        }
      }
      own.emplace_back(bytes_of(drawn.tokens));
      Example example;
      example.tokens = drawn.tokens;
      example.token_labels = drawn.labels;
      sink.add(split, example);
    }
    earlier.insert(own.begin(), own.end());
  }
  Reading reading;
  reading.origin = Origin::generated;
  reading.description = fmt::format("{}: generated, seed {}", task.title, options.seed);
  reading.extra = std::make_shared<json>(json{{"seed", options.seed}, {"chance", chance()}});
  return reading;
}

std::vector<Predictor> ProbeTask::predictors() const {
  Predictor guess{"chance",
                  "a guess that knows the form of the task and nothing of its content",
                  {},
                  {},
                  false};
  guess.accuracy = chance();
  Predictor solution{"solution", "the task's rule: " + solution_text(), {}, {}, true};
  solution.answer = [this](const TaskData& data) {
    const Dataset& test = data.split(Split::test);
    std::vector<std::int32_t> answers;
    for (std::size_t i = 0; i < test.size(); ++i) {
      const Example example = test[i];
      for (std::size_t p = 0; p < example.token_labels.size(); ++p) {
        if (example.token_labels[p] != kNoLabel) answers.push_back(solve(example.tokens, p));
      }
    }
    return answers;
  };
  return {guess, solution};
}

std::vector<std::size_t> draw_weighted(RandomStream& random, std::vector<double> weights,
                                       std::size_t K) {
  std::vector<std::size_t> drawn;
  double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  while (drawn.size() < K) {
    double left = random.uniform() * total;
    std::size_t at = weights.size();
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (weights[i] == 0) continue;
      at = i;  // the last one left if rounding goes beyond it
      left -= weights[i];
      if (left < 0) break;
    }
    drawn.push_back(at);
    total -= weights[at];
    weights[at] = 0;
  }
  return drawn;
}

std::vector<Token> draw_distinct(RandomStream& random, std::int64_t first, std::int64_t last,
                                 std::int64_t K) {
  std::vector<Token> drawn;
  std::unordered_set<std::int64_t> taken;
  while (static_cast<std::int64_t>(drawn.size()) < K) {
    const auto range = static_cast<std::uint32_t>(last - first + 1);
    const std::int64_t id = first + random.below(range);
    if (taken.insert(id).second) drawn.push_back(static_cast<Token>(id));
  }
  return drawn;
}

}  // namespace lra::tasks::probes

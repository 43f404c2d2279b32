#include "tasks/shortcuts.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/base/error.h"

namespace lra::tasks {
namespace {

using LabelCounts = std::map<std::int32_t, std::int64_t>;

std::int32_t most_frequent(const LabelCounts& counts) {
  std::int32_t best = 0;
  std::int64_t most = -1;
  for (const auto& [label, count] : counts) {
    if (count > most) {
      best = label;
      most = count;
    }
  }
  return best;
}

const Dataset& fitting_split(const TaskData& data) {
  const Dataset& train = data.split(Split::train);
  return train.size() > 0 ? train : data.split(Split::test);
}

}  // namespace

Shortcut rule(const TaskData& data, std::string name, std::string description,
              const std::function<std::int32_t(const Example&)>& predict) {
  const Dataset& test = data.split(Split::test);
  Shortcut result{std::move(name), std::move(description), {}, 0};
  result.predictions.reserve(test.size());
  std::size_t right = 0;
  for (std::size_t i = 0; i < test.size(); ++i) {
    const Example example = test[i];
    const std::int32_t said = predict(example);
    result.predictions.push_back(said);
    if (said == example.label) ++right;
  }
  if (test.size() > 0) {
    result.accuracy = static_cast<double>(right) / static_cast<double>(test.size());
  }
  return result;
}

Shortcut majority_given(const TaskData& data, std::string name, std::string description,
                        std::size_t values,
                        const std::function<std::size_t(const Example&)>& feature) {
  const Dataset& train = fitting_split(data);
  std::vector<LabelCounts> counts(values);
  LabelCounts all;
  for (std::size_t i = 0; i < train.size(); ++i) {
    const Example example = train[i];
    ++counts[feature(example)][example.label];
    ++all[example.label];
  }
  std::vector<std::int32_t> answer;
  answer.reserve(counts.size());
  for (const auto& given : counts) answer.push_back(most_frequent(given.empty() ? all : given));
  return rule(data, std::move(name), std::move(description),
              [&](const Example& example) { return answer[feature(example)]; });
}

Shortcut majority_class(const TaskData& data) {
  return majority_given(data, "majority", "always the most frequent label of train", 1,
                        [](const Example&) { return std::size_t{0}; });
}

nlohmann::json shortcut_agreement(std::span<const Shortcut> shortcuts,
                                  std::span<const std::int32_t> predictions) {
  nlohmann::json result = nlohmann::json::object();
  for (const auto& shortcut : shortcuts) {
    if (shortcut.predictions.size() != predictions.size()) {
      fail(ErrorKind::shape, "tasks/shortcuts: predictions; got {}, expected {}",
           predictions.size(), shortcut.predictions.size());
    }
    std::size_t equal = 0;
    for (std::size_t i = 0; i < predictions.size(); ++i) {
      if (predictions[i] == shortcut.predictions[i]) ++equal;
    }
    result[shortcut.name] =
        predictions.empty() ? 0.0
                            : static_cast<double>(equal) / static_cast<double>(predictions.size());
  }
  return result;
}

}  // namespace lra::tasks

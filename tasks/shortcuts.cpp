#include "tasks/shortcuts.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/fields.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/locks.h"

namespace lra::tasks {

namespace fs = std::filesystem;
using nlohmann::json;

template <class V>
void describe(V& v, Shortcut& shortcut) {
  v("name", shortcut.name);
  v("description", shortcut.description);
  v("accuracy", shortcut.accuracy);
  v("count", shortcut.count);
  v("seconds", shortcut.seconds);
  v("looks", shortcut.looks);
  v("predictions", shortcut.predictions);
}

namespace {

struct ShortcutFile {
  std::string data;  // digest of the data
  std::vector<Shortcut> shortcuts;
};

template <class V>
void describe(V& v, ShortcutFile& file) {
  v("data", file.data);
  v("shortcuts", file.shortcuts);
}

// Increased whenever a predictor of any task changes its answers on the same data.
constexpr int kShortcutsVersion = 2;

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

// of(example) of the first `most` examples of a split, in parallel.
template <class Value, class Of>
std::vector<Value> values_of(const Dataset& split, std::size_t most, const Of& of) {
  std::vector<Value> values(std::min(split.size(), most));
  oneapi::tbb::parallel_for(std::size_t{0}, values.size(),
                            [&](std::size_t i) { values[i] = of(split[i]); });
  return values;
}

// The most frequent label for each group of the fitted examples (the overall one for groups that
// have none).
std::vector<std::int32_t> answers_by_group(std::size_t groups, std::span<const std::size_t> group,
                                           const Dataset& fitted) {
  std::vector<LabelCounts> counts(groups);
  LabelCounts all;
  for (std::size_t i = 0; i < group.size(); ++i) {
    const std::int32_t label = fitted[i].label;
    ++counts[group[i]][label];
    ++all[label];
  }
  std::vector<std::int32_t> answers;
  answers.reserve(groups);
  for (const auto& given : counts) answers.push_back(most_frequent(given.empty() ? all : given));
  return answers;
}

// The labels that a predictor must give, in order.
std::vector<std::int32_t> wanted_answers(const Dataset& test) {
  constexpr std::int32_t kNoLabel = -100;
  std::vector<std::int32_t> wanted;
  for (std::size_t i = 0; i < test.size(); ++i) {
    const Example example = test[i];
    if (example.token_labels.empty()) {
      wanted.push_back(example.label);
      continue;
    }
    std::copy_if(example.token_labels.begin(), example.token_labels.end(),
                 std::back_inserter(wanted), [](std::int32_t label) { return label != kNoLabel; });
  }
  return wanted;
}

double share_of_equals(std::span<const std::int32_t> a, std::span<const std::int32_t> b) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
  return a.empty() ? 0.0 : static_cast<double>(equal) / static_cast<double>(a.size());
}

// The stored shortcuts, or empty if the file is missing, damaged or from other predictors.
std::optional<std::vector<Shortcut>> load(const fs::path& path,
                                          const std::vector<Predictor>& predictors) {
  std::error_code code;
  if (!fs::is_regular_file(path, code)) return std::nullopt;
  ShortcutFile file;
  try {
    from_fields(read_json(path), file);
  } catch (const json::exception&) {
    return std::nullopt;
  } catch (const Error&) {
    return std::nullopt;  // not JSON, or not readable
  }
  const auto same = [](const Shortcut& s, const Predictor& p) {
    return s.name == p.name && s.description == p.sees;
  };
  auto& kept = file.shortcuts;
  if (!std::equal(kept.begin(), kept.end(), predictors.begin(), predictors.end(), same)) {
    return std::nullopt;
  }
  return std::move(kept);
}

std::vector<Shortcut> judge_all(const std::vector<Predictor>& predictors, const TaskData& data,
                                const Progress& progress) {
  std::vector<Shortcut> all;
  for (const Predictor& predictor : predictors) {
    if (progress) {
      progress(predictor.name, static_cast<std::int64_t>(all.size() + 1),
               static_cast<std::int64_t>(predictors.size()));
    }
    all.push_back(judge(predictor, data));
  }
  return all;
}

// The lock for fitting; none in a read-only folder. While another process fits, `progress` is
// called and may throw.
std::unique_ptr<FileLock> wait_for_lock(const fs::path& path, const Progress& progress,
                                        std::size_t predictors) {
  constexpr std::chrono::milliseconds kPause{100};
  for (;;) {
    try {
      if (auto lock = FileLock::try_lock(path)) return lock;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::io) throw;
      return nullptr;
    }
    if (progress) {
      progress("another run fits them", 0, static_cast<std::int64_t>(predictors));
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

Predictor rule(std::string name, std::string sees,
               std::function<std::int32_t(const Example&)> predict) {
  Predictor result{std::move(name), std::move(sees), {}, {}, true};
  result.answer = [predict = std::move(predict)](const TaskData& data) {
    const Dataset& test = data.split(Split::test);
    return values_of<std::int32_t>(test, test.size(), predict);
  };
  return result;
}

Predictor majority_given(std::string name, std::string sees, std::size_t values,
                         std::function<std::size_t(const Example&)> feature) {
  Predictor result{std::move(name), std::move(sees), {}, {}, true};
  result.answer = [values, feature = std::move(feature)](const TaskData& data) {
    const Dataset& fitted = fitting_split(data);
    const auto groups = values_of<std::size_t>(fitted, fitted.size(), feature);
    const auto answer = answers_by_group(values, groups, fitted);
    const Dataset& test = data.split(Split::test);
    return values_of<std::int32_t>(test, test.size(),
                                   [&](const Example& e) { return answer[feature(e)]; });
  };
  return result;
}

Predictor majority_given_number(std::string name, std::string sees, std::size_t groups,
                                std::size_t most, std::function<double(const Example&)> number) {
  Predictor result{std::move(name), std::move(sees), {}, {}, true};
  result.answer = [groups, most, number = std::move(number)](const TaskData& data) {
    const Dataset& fitted = fitting_split(data);
    const auto numbers = values_of<double>(fitted, most, number);
    auto sorted = numbers;
    std::sort(sorted.begin(), sorted.end());
    std::vector<double> limits;  // group g: below limits[g], not below limits[g - 1]
    for (std::size_t g = 1; g < groups && !sorted.empty(); ++g) {
      limits.push_back(sorted[g * sorted.size() / groups]);
    }
    const auto group_of = [&limits](double x) {
      return static_cast<std::size_t>(std::upper_bound(limits.begin(), limits.end(), x) -
                                      limits.begin());
    };
    std::vector<std::size_t> group(numbers.size());
    std::transform(numbers.begin(), numbers.end(), group.begin(), group_of);
    const auto answer = answers_by_group(groups, group, fitted);
    const Dataset& test = data.split(Split::test);
    return values_of<std::int32_t>(test, test.size(),
                                   [&](const Example& e) { return answer[group_of(number(e))]; });
  };
  return result;
}

Predictor majority_class() {
  Predictor result = majority_given("majority", "always the most frequent label of train", 1,
                                    [](const Example&) { return std::size_t{0}; });
  result.looks = false;
  return result;
}

const Dataset& fitting_split(const TaskData& data) {
  const Dataset& train = data.split(Split::train);
  return train.size() > 0 ? train : data.split(Split::test);
}

std::vector<std::int32_t> labels_of(const Dataset& split, std::size_t most) {
  return values_of<std::int32_t>(split, most, [](const Example& e) { return e.label; });
}

std::size_t classes_of(std::span<const std::int32_t> labels) {
  const auto largest = std::max_element(labels.begin(), labels.end());
  return largest == labels.end() ? 2 : static_cast<std::size_t>(std::max(*largest + 1, 2));
}

Shortcut judge(const Predictor& predictor, const TaskData& data) {
  const auto start = std::chrono::steady_clock::now();
  const auto wanted = wanted_answers(data.split(Split::test));
  Shortcut result;
  result.name = predictor.name;
  result.description = predictor.sees;
  result.count = static_cast<std::int64_t>(wanted.size());
  result.looks = predictor.looks;
  if (predictor.accuracy) {
    result.accuracy = *predictor.accuracy;
    return result;
  }
  result.predictions = predictor.answer(data);
  if (result.predictions.size() != wanted.size()) {
    fail(ErrorKind::shape, "tasks/shortcuts: {}: answers; got {}, expected {}", predictor.name,
         result.predictions.size(), wanted.size());
  }
  result.accuracy = share_of_equals(result.predictions, wanted);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

std::vector<Shortcut> shortcuts(const Task& task, const TaskData& data, const Progress& progress) {
  const auto predictors = task.predictors();
  if (data.cache.empty()) return judge_all(predictors, data, progress);
  const TaskInfo info = task.info();
  const std::string key = sha256_hex(json({{"shortcuts", kShortcutsVersion},
                                           {"task", info.name},
                                           {"version", info.version},
                                           {"pixel_offset", info.pixel_offset},
                                           {"data", data.sha256}})
                                         .dump());
  const std::string stem = fmt::format("{}-{}.shortcuts", info.name, key.substr(0, 16));
  const fs::path path = data.cache / (stem + ".json");
  if (auto kept = load(path, predictors)) return *std::move(kept);
  const auto lock = wait_for_lock(data.cache / (stem + ".lock"), progress, predictors.size());
  if (auto kept = load(path, predictors)) return *std::move(kept);  // fitted meanwhile
  if (lock != nullptr) remove_abandoned(data.cache);
  auto all = judge_all(predictors, data, progress);
  try {
    write_file_atomic(path, to_fields(ShortcutFile{data.sha256, all}).dump() + "\n");
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::io) throw;
  }
  return all;
}

std::optional<double> agreement(const Shortcut& shortcut,
                                std::span<const std::int32_t> predictions) {
  if (predictions.empty() || shortcut.predictions.size() < predictions.size()) return std::nullopt;
  return share_of_equals(predictions, shortcut.predictions);
}

}  // namespace lra::tasks

#include "tasks/image/baselines.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "tasks/baselines/logistic.h"
#include "tasks/shortcuts.h"

namespace lra::tasks::image {
namespace {

using baselines::LogisticOptions;
using baselines::LogisticRegression;
using baselines::Row;

constexpr std::size_t kArea = NearestPictures::kArea;

// The grey values of a split, [size, kArea]; pixels that an example lacks are 0.
std::vector<std::uint8_t> grey_values(const Dataset& split, std::int64_t offset) {
  std::vector<std::uint8_t> values(split.size() * kArea);
  oneapi::tbb::parallel_for(std::size_t{0}, split.size(), [&](std::size_t i) {
    const auto tokens = split[i].tokens;
    std::transform(tokens.begin(),
                   tokens.begin() + static_cast<std::ptrdiff_t>(std::min(tokens.size(), kArea)),
                   values.begin() + static_cast<std::ptrdiff_t>(i * kArea),
                   [offset](Token token) { return static_cast<std::uint8_t>(token - offset); });
  });
  return values;
}

// Logistic regression on features instead of a split's examples.
std::vector<std::int32_t> regress(
    const TaskData& data, std::size_t features, const LogisticOptions& options,
    const std::function<void(const Example&, std::span<float>)>& features_of) {
  const auto rows_of = [&](const Dataset& split) {
    return [&](std::size_t i, Row& row) {
      row.index.resize(features);
      row.value.resize(features);
      for (std::size_t f = 0; f < features; ++f) row.index[f] = static_cast<std::uint32_t>(f);
      features_of(split[i], row.value);
    };
  };
  const Dataset& train = fitting_split(data);
  const Dataset& test = data.split(Split::test);
  const auto labels = labels_of(train, train.size());
  LogisticRegression model(features, classes_of(labels));
  model.fit(rows_of(train), labels, options);
  return model.predict(rows_of(test), test.size());
}

// The class whose mean picture is nearest.
std::vector<std::int32_t> nearest_mean(const TaskData& data, std::int64_t offset) {
  const Dataset& train = fitting_split(data);
  const auto labels = labels_of(train, train.size());
  const std::size_t classes = classes_of(labels);
  std::vector<double> means(classes * kArea);
  std::vector<double> counts(classes);
  const auto train_values = grey_values(train, offset);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto label = static_cast<std::size_t>(labels[i]);
    ++counts[label];
    for (std::size_t p = 0; p < kArea; ++p) {
      means[label * kArea + p] += static_cast<double>(train_values[i * kArea + p]);
    }
  }
  for (std::size_t k = 0; k < classes; ++k) {
    for (std::size_t p = 0; p < kArea && counts[k] > 0; ++p) means[k * kArea + p] /= counts[k];
  }
  const Dataset& test = data.split(Split::test);
  const auto values = grey_values(test, offset);
  std::vector<std::int32_t> answers(test.size());
  oneapi::tbb::parallel_for(std::size_t{0}, answers.size(), [&](std::size_t i) {
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < classes; ++k) {
      if (counts[k] == 0) continue;
      double distance = 0;
      for (std::size_t p = 0; p < kArea; ++p) {
        const double difference = means[k * kArea + p] - values[i * kArea + p];
        distance += difference * difference;
      }
      if (distance < least) {
        least = distance;
        answers[i] = static_cast<std::int32_t>(k);
      }
    }
  });
  return answers;
}

// The most frequent label of the k nearest pictures; ties go to the nearest.
std::vector<std::int32_t> nearest_neighbours(const TaskData& data, std::int64_t offset,
                                             std::size_t k) {
  const Dataset& train = fitting_split(data);
  const Dataset& test = data.split(Split::test);
  const auto labels = labels_of(train, train.size());
  const NearestPictures pictures(grey_values(train, offset));
  const auto values = grey_values(test, offset);
  std::vector<std::int32_t> answers(test.size());
  oneapi::tbb::parallel_for(std::size_t{0}, answers.size(), [&](std::size_t i) {
    const auto nearest = pictures.find(std::span(values).subspan(i * kArea, kArea), k);
    std::vector<std::size_t> votes(classes_of(labels));
    for (const std::size_t n : nearest) ++votes[static_cast<std::size_t>(labels[n])];
    const std::size_t most = *std::max_element(votes.begin(), votes.end());
    const auto winner = std::find_if(nearest.begin(), nearest.end(), [&](std::size_t n) {
      return votes[static_cast<std::size_t>(labels[n])] == most;
    });
    if (winner != nearest.end()) answers[i] = labels[*winner];
  });
  return answers;
}

// Sum of squared differences of two rows of `length` numbers.
template <class T>
std::int32_t squared_distance(const T* a, const T* b, std::size_t length) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < length; ++i) {
    const std::int32_t difference = std::int32_t{a[i]} - std::int32_t{b[i]};
    sum += difference * difference;
  }
  return sum;
}

void block_sums(const std::uint8_t* picture, std::int16_t* sums) {
  constexpr std::size_t kSide = NearestPictures::kSide, kBlock = NearestPictures::kBlock;
  std::fill_n(sums, NearestPictures::kBlocks, std::int16_t{0});
  for (std::size_t p = 0; p < kArea; ++p) {
    const std::size_t block = p / kSide / kBlock * (kSide / kBlock) + p % kSide / kBlock;
    sums[block] = static_cast<std::int16_t>(sums[block] + picture[p]);
  }
}

Predictor predictor(const char* name, const char* sees,
                    std::function<std::vector<std::int32_t>(const TaskData&)> answer) {
  return {name, sees, std::move(answer), {}, true};
}

}  // namespace

NearestPictures::NearestPictures(std::vector<std::uint8_t> pictures)
    : pictures_(std::move(pictures)), sums_(pictures_.size() / kArea * kBlocks) {
  oneapi::tbb::parallel_for(std::size_t{0}, pictures_.size() / kArea, [&](std::size_t i) {
    block_sums(&pictures_[i * kArea], &sums_[i * kBlocks]);
  });
}

std::vector<std::size_t> NearestPictures::find(std::span<const std::uint8_t> picture,
                                               std::size_t k) const {
  using Candidate = std::pair<std::int32_t, std::size_t>;  // distance or its bound; number
  std::array<std::int16_t, kBlocks> sums;
  block_sums(picture.data(), sums.data());
  // A block's squared difference of sums is at most its number of pixels times the sum of their
  // squared differences (Cauchy and Schwarz).
  std::vector<Candidate> bounds(pictures_.size() / kArea);
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const std::int32_t sum = squared_distance(sums.data(), &sums_[i * kBlocks], kBlocks);
    bounds[i] = {sum / static_cast<std::int32_t>(kBlock * kBlock), i};
  }
  std::make_heap(bounds.begin(), bounds.end(), std::greater<>());
  std::vector<Candidate> found;  // a heap, the worst on top
  for (auto end = bounds.end(); end != bounds.begin(); --end) {
    if (found.size() == k && (k == 0 || bounds.front().first > found.front().first)) break;
    std::pop_heap(bounds.begin(), end, std::greater<>());
    const std::size_t number = (end - 1)->second;
    found.emplace_back(squared_distance(picture.data(), &pictures_[number * kArea], kArea), number);
    std::push_heap(found.begin(), found.end());
    if (found.size() <= k) continue;
    std::pop_heap(found.begin(), found.end());
    found.pop_back();
  }
  std::sort_heap(found.begin(), found.end());
  std::vector<std::size_t> numbers;
  numbers.reserve(found.size());
  for (const auto& [distance, number] : found) numbers.push_back(number);
  return numbers;
}

std::vector<Predictor> predictors(std::int64_t offset) {
  constexpr std::size_t kBins = 32;
  constexpr std::size_t kNeighbours = 10;
  std::vector<Predictor> all;
  all.push_back(majority_class());
  all.push_back(predictor(
      "histogram_logistic",
      "logistic regression on the histogram of grey values, 32 bins, wherever the pixels are",
      [offset](const TaskData& data) {
        return regress(data, kBins, {.epochs = 20, .batch = 64, .rate = 0.5F},
                       [offset](const Example& example, std::span<float> bins) {
                         std::fill(bins.begin(), bins.end(), 0.0F);
                         for (const Token token : example.tokens) {
                           const auto grey = static_cast<std::size_t>(token - offset);
                           bins[std::min(grey * kBins / 256, kBins - 1)] += 1;
                         }
                         const auto size = static_cast<float>(example.tokens.size());
                         for (float& bin : bins) bin = std::sqrt(bin / size);
                       });
      }));
  all.push_back(predictor("nearest_mean_picture",
                          "the class whose mean picture of train is nearest over the pixels",
                          [offset](const TaskData& data) { return nearest_mean(data, offset); }));
  all.push_back(predictor(
      "pixel_logistic", "logistic regression on all pixels", [offset](const TaskData& data) {
        return regress(data, kArea, {.epochs = 10, .batch = 128, .rate = 0.01F, .penalty = 1e-3F},
                       [offset](const Example& example, std::span<float> pixels) {
                         std::fill(pixels.begin(), pixels.end(), 0.0F);
                         for (std::size_t p = 0; p < std::min(example.tokens.size(), kArea); ++p) {
                           pixels[p] = static_cast<float>(example.tokens[p] - offset) / 128.0F - 1;
                         }
                       });
      }));
  all.push_back(predictor(
      "nearest_pictures", "the most frequent label of the 10 nearest pictures of train",
      [offset](const TaskData& data) { return nearest_neighbours(data, offset, kNeighbours); }));
  return all;
}

}  // namespace lra::tasks::image

#pragma once
// For tests: statistics of a set of Pathfinder pictures, and the comparison of two sets. The
// reference sets, made by the original generator, are kept as testdata/reference.json.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tasks/pathfinder/picture_features.h"

namespace lra::tasks::pathfinder {

// Mean and standard deviation of a number over pictures.
struct Moments {
  double n = 0, sum = 0, squares = 0;
  void add(double value) {
    n += 1;
    sum += value;
    squares += value * value;
  }
  [[nodiscard]] double mean() const { return sum / n; }
  [[nodiscard]] double sd() const {
    return n < 2 ? 0 : std::sqrt(std::max(0.0, (squares - sum * sum / n) / (n - 1)));
  }
};

class PictureStatistics {
 public:
  PictureStatistics(int size, double marker_radius) : size_(size), marker_radius_(marker_radius) {}

  void add(std::span<const std::uint8_t> pixels, int label) {
    label_.add(label);
    for (const auto& [name, value] : picture_features(pixels, size_, marker_radius_)) {
      moments_[name].add(value);
      if (const auto width = binned().find(name); width != binned().end()) {
        const std::string of = name == "marker distance" ? of_label(name, label) : name;
        ++bins_[of][static_cast<int>(std::floor(value / width->second))];
      }
      if (name == "marker distance") moments_[of_label(name, label)].add(value);
    }
    for (const std::string& shape : isolated_shapes(pixels, size_)) ++shapes_[shape];
  }

  // {pictures, label_1, features {name: [mean, sd, n]}, bins {name: {bin: count}}, shapes [the
  // most frequent isolated shapes]}
  [[nodiscard]] nlohmann::json summary() const {
    nlohmann::json result = {{"pictures", label_.n}, {"label_1", label_.sum}};
    for (const auto& [name, m] : moments_) {
      result["features"][name] = {rounded(m.mean()), rounded(m.sd()), m.n};
    }
    for (const auto& [name, bins] : bins_) {
      for (const auto& [bin, count] : bins) result["bins"][name][std::to_string(bin)] = count;
    }
    std::vector<std::pair<int, std::string>> ranked;
    for (const auto& [shape, count] : shapes_) ranked.emplace_back(-count, shape);
    std::sort(ranked.begin(), ranked.end());
    if (ranked.size() > kShapes) ranked.resize(kShapes);
    for (const auto& [count, shape] : ranked) result["shapes"].push_back(shape);
    return result;
  }
  [[nodiscard]] const std::map<std::string, int>& shapes() const { return shapes_; }

 private:
  static constexpr std::size_t kShapes = 24;

  static std::string of_label(const std::string& name, int label) {
    return name + " of label " + std::to_string(label);
  }
  static double rounded(double value) { return std::round(value * 1e7) / 1e7; }
  // Features whose whole distribution is compared, with the width of a bin.
  static const std::map<std::string, double>& binned() {
    static const std::map<std::string, double> widths{
        {"lit pixels", 8},     {"pixels from 64", 3},  {"mean grey", 0.25},   {"areas from 64", 1},
        {"areas from 192", 1}, {"pixels from 192", 2}, {"marker distance", 1}};
    return widths;
  }

  int size_;
  double marker_radius_;
  Moments label_;
  std::map<std::string, Moments> moments_;
  std::map<std::string, std::map<int, int>> bins_;
  std::map<std::string, int> shapes_;
};

// Two-sample Kolmogorov-Smirnov statistic of two binned samples, over its critical value at 0.001
// (1.949 sqrt((n + m) / (n m)); binning only lowers the statistic). Above 1: they differ.
inline double kolmogorov_smirnov(const nlohmann::json& a, const nlohmann::json& b) {
  std::map<int, std::pair<double, double>> counts;
  double n = 0;
  double m = 0;
  for (const auto& [bin, count] : a.items()) {
    counts[std::stoi(bin)].first = count.get<double>();
    n += count.get<double>();
  }
  for (const auto& [bin, count] : b.items()) {
    counts[std::stoi(bin)].second = count.get<double>();
    m += count.get<double>();
  }
  double difference = 0;
  double largest = 0;
  for (const auto& [bin, count] : counts) {
    difference += count.first / n - count.second / m;
    largest = std::max(largest, std::abs(difference));
  }
  return largest / (1.949 * std::sqrt((n + m) / (n * m)));
}

// Distance of two sets' means of a feature, in standard errors of their difference.
inline double mean_distance(const nlohmann::json& a, const nlohmann::json& b) {
  const auto error = [](const nlohmann::json& moments) {
    const auto sd = moments[1].get<double>();
    return sd * sd / moments[2].get<double>();
  };
  const double both = error(a) + error(b);
  return both > 0 ? (a[0].get<double>() - b[0].get<double>()) / std::sqrt(both) : 0;
}

// Result of a comparison of two summaries.
struct Comparison {
  double largest_distance = 0;  // greatest |mean_distance| over features
  double mean_square = 0;       // mean of its square: 1 is expected of equal distributions
  double largest_ks = 0;        // greatest kolmogorov_smirnov() over binned features
  std::string worst_mean, worst_bins;
};

inline Comparison compare(const nlohmann::json& reference, const nlohmann::json& ours) {
  Comparison result;
  for (const auto& [name, moments] : reference["features"].items()) {
    const double distance = std::abs(mean_distance(moments, ours["features"][name]));
    result.mean_square += distance * distance / static_cast<double>(reference["features"].size());
    if (distance > result.largest_distance) {
      result.largest_distance = distance;
      result.worst_mean = name;
    }
  }
  for (const auto& [name, bins] : reference["bins"].items()) {
    const double ks = kolmogorov_smirnov(bins, ours["bins"][name]);
    if (ks > result.largest_ks) {
      result.largest_ks = ks;
      result.worst_bins = name;
    }
  }
  return result;
}

}  // namespace lra::tasks::pathfinder

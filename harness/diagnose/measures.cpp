#include "harness/diagnose/measures.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace lra::harness::diagnose {
namespace {

constexpr std::array<const char*, kFields> kNames{
    "entropy_norm",    "n_eff",          "n_eff_ratio",       "participation", "max_weight",
    "top8_mass",       "top64_mass",     "local_mass_01",     "local_mass_05", "local_mass_10",
    "local_mass_20",   "local_gain_01",  "local_gain_05",     "local_gain_10", "local_gain_20",
    "mean_distance",   "attention_span", "neg_mass",          "frobenius",     "fro_over_sqrt_n",
    "stable_rank",     "dead_rows",      "zero_feature_rate", "grad_max",      "grad_p99",
    "softmax_distance"};
static_assert(kNames.back() != nullptr);

}  // namespace

const char* field_name(Field field) { return kNames[static_cast<std::size_t>(field)]; }

void Measures::add(Field field, double value, double weight) {
  if (!std::isfinite(value)) return;
  Sum& sum = sums_[static_cast<std::size_t>(field)];
  sum.total += weight * value;
  sum.weight += weight;
  sum.largest = std::max(sum.largest, value);
}

void Measures::add(const Measures& other) {
  for (std::size_t f = 0; f < kFields; ++f) {
    sums_[f].total += other.sums_[f].total;
    sums_[f].weight += other.sums_[f].weight;
    sums_[f].largest = std::max(sums_[f].largest, other.sums_[f].largest);
  }
}

std::optional<double> Measures::operator[](Field field) const {
  const Sum& sum = sums_[static_cast<std::size_t>(field)];
  if (sum.weight == 0) return std::nullopt;
  return field == Field::grad_max ? sum.largest : sum.total / sum.weight;
}

nlohmann::json Measures::to_json() const {
  nlohmann::json json = nlohmann::json::object();
  for (std::size_t f = 0; f < kFields; ++f) {
    const auto value = (*this)[field_at(f)];
    json[kNames[f]] = value ? nlohmann::json(*value) : nlohmann::json(nullptr);
  }
  return json;
}

}  // namespace lra::harness::diagnose

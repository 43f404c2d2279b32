#include "harness/diagnose/diagnose.h"

#include <tbb/parallel_for.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "harness/diagnose/sequence.h"
#include "harness/workers/sample.h"

namespace lra::harness::diagnose {

using nlohmann::json;

Measures Diagnosis::layer(std::size_t index) const {
  Measures all;
  for (const Measures& head : heads[index]) all.add(head);
  return all;
}

Measures Diagnosis::mean() const {
  Measures all;
  for (std::size_t l = 0; l < heads.size(); ++l) all.add(layer(l));
  return all;
}

json Diagnosis::to_json() const {
  json layers = json::array();
  for (const auto& layer_heads : heads) {
    json list = json::array();
    for (const Measures& head : layer_heads) list.push_back(head.to_json());
    layers.push_back(std::move(list));
  }
  return {{"matrix", matrix ? "definition" : "unavailable"},
          {"samples", samples},
          {"rows", rows},
          {"mean", mean().to_json()},
          {"layers", std::move(layers)}};
}

Diagnosis diagnose(Workers& workers, const models::Model& model, const tasks::Dataset& data,
                   const Settings& settings, std::int64_t seed) {
  const auto indices = sample_of(data.size(), settings.samples, "diagnosis");
  const Probe probe(model, settings.rows, static_cast<std::uint64_t>(seed));
  std::vector<SequenceMeasures> measured(indices.size());
  std::atomic<bool> skipped{false};
  workers.execute([&] {
    tbb::parallel_for(std::size_t{0}, indices.size(), [&](std::size_t i) {
      if (workers.stopped()) {
        skipped = true;
        return;
      }
      measured[i] = probe.measure(data[indices[i]].tokens, indices[i], i % kThoroughOf == 0);
    });
  });
  if (skipped) throw Interrupted();
  Diagnosis result;
  result.samples = static_cast<std::int64_t>(indices.size());
  result.rows = settings.rows;
  const auto heads = static_cast<std::size_t>(model.config().heads);
  result.heads.assign(model.layers().size(), std::vector<Measures>(heads));
  for (const SequenceMeasures& sequence : measured) {
    result.matrix = result.matrix || sequence.matrix;
    for (std::size_t l = 0; l < sequence.heads.size(); ++l) {
      for (std::size_t h = 0; h < heads; ++h) result.heads[l][h].add(sequence.heads[l][h]);
    }
  }
  return result;
}

}  // namespace lra::harness::diagnose

#pragma once
// The fields that result.json and bench.json share (engine/base/fields.h). Internal to results/.

#include <nlohmann/json.hpp>

#include "engine/base/fields.h"
#include "results/record/record.h"

namespace lra::results {

// Conversion functions required by nlohmann/json: a text of JSON is JSON in a file.
inline void to_json(nlohmann::json& json, const JsonText& value) {
  json = nlohmann::json::parse(value.text);
}
inline void from_json(const nlohmann::json& json, JsonText& value) { value.text = json.dump(); }

template <class Visitor>
void describe(Visitor& v, AttentionPart& attention) {
  v("name", attention.name);
  v("label", attention.label);
  v("options", attention.options);
  v.part("changed", attention.changed, !attention.changed.empty());
}

template <class Visitor>
void describe(Visitor& v, Environment& environment) {
  v("cpu", environment.cpu);
  v("isa", environment.isa);
  v("cores", environment.cores);
  v("threads", environment.threads);
  v("lanes", environment.lanes);
  v("onednn", environment.onednn);
  v("tbb", environment.tbb);
  v("compiler", environment.compiler);
  v("version", environment.version);
  v("commit", environment.commit);
  v("dirty", environment.dirty);
  v.part("node", environment.node, !environment.node.empty());
}

}  // namespace lra::results

// result.json: its fields, and the rules for them that the schema cannot express.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "embedded/schemas.h"
#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json_schema.h"
#include "results/record/answers.h"
#include "results/record/fields.h"
#include "results/record/record.h"

namespace lra::results {

using nlohmann::json;

template <class V, class T>
void describe(V& v, PerSplit<T>& splits) {
  v("train", splits.train);
  v("val", splits.val);
  v("test", splits.test);
}

template <class V>
void describe(V& v, Interval& interval) {
  v("low", interval.low);
  v("high", interval.high);
}

template <class V>
void describe(V& v, Quantiles& quantiles) {
  v("median", quantiles.median);
  v("p10", quantiles.p10);
  v("p90", quantiles.p90);
  v("count", quantiles.count);
}

template <class V>
void describe(V& v, Slice& slice) {
  v("name", slice.name);
  v("accuracy", slice.accuracy);
  v("count", slice.count);
}

template <class V>
void describe(V& v, LengthPoint& point) {
  v("factor", point.factor);
  v("length", point.length);
  v("count", point.count);
  v("accuracy", point.accuracy);
  v("exact", point.exact);
  v("wilson95", point.wilson95);
  v("reason", point.reason);
}

template <class V>
void describe(V& v, LengthPart& lengths) {
  v("points", lengths.points);
  v("reach", lengths.reach);
  v("area", lengths.area);
}

template <class V>
void describe(V& v, Baseline& baseline) {
  v("name", baseline.name);
  v("title", baseline.title);
  v("accuracy", baseline.accuracy);
  v("agreement", baseline.agreement);
  v("count", baseline.count);
  v("ladder", baseline.ladder);
}

template <class V>
void describe(V& v, TaskPart& task) {
  v("name", task.name);
  v("title", task.title);
  v("version", task.version);
  v("options", task.options);
  v.object("data", [&] {
    v("origin", task.origin);
    v("sha256", task.data_sha256);
    v("description", task.data_description);
    v("counts", task.counts);
  });
}

template <class V>
void describe(V& v, DivisionPart& division) {
  v("name", division.name);
  v("baseline_parameters", division.baseline_parameters);
  v("parameter_ratio", division.parameter_ratio);
  v("reasons", division.reasons);
}

template <class V>
void describe(V& v, TrainingPart& training) {
  v("steps", training.steps);
  v("steps_done", training.steps_done);
  v("batch", training.batch);
  v("examples", training.examples);
  v("tokens", training.tokens);
  v.part("stopped", training.stopped, !training.stopped.empty());
  v.part("init", training.init, training.init.text != "{}");
}

template <class V>
void describe(V& v, AccuracyPart& accuracy) {
  v("train", accuracy.value.train);
  v("val", accuracy.value.val);
  v("test", accuracy.value.test);
  v("best_step", accuracy.best_step);
  v("selected_by", accuracy.selected_by);
  v("unit", accuracy.unit);
  v("counts", accuracy.counts);
  v("test_wilson95", accuracy.test_wilson95);
  v.part("test_independent", accuracy.test_independent, accuracy.test_independent.has_value());
  v.part("test_right", accuracy.test_right, !accuracy.test_right.empty());
  v("slices", accuracy.slices);
}

template <class V>
void describe(V& v, SearchRung& rung) {
  v("steps", rung.steps);
  v("trials", rung.trials);
}

template <class V>
void describe(V& v, SearchTrial& trial) {
  v("settings", trial.settings);
  v("rungs", trial.rungs);
  v("first", trial.first);
  v("last", trial.last);
}

template <class V>
void describe(V& v, SearchFurther& further) {
  v("runs", further.runs);
  v("tokens", further.tokens);
}

template <class V>
void describe(V& v, SearchPart& search) {
  v("seed", search.seed);
  v("tokens", search.tokens);
  v("rungs", search.rungs);
  v("trials", search.trials);
  v.part("data_sha256", search.data_sha256, !search.data_sha256.empty());
  v.part("further", search.further, search.further.runs > 0);
}

template <class V>
void describe(V& v, SpeedPart& speed) {
  v("train_steps_per_second", speed.train_steps_per_second);
  v("train_examples_per_second", speed.train_examples_per_second);
  v("train_tokens_per_second", speed.train_tokens_per_second);
  v("infer_examples_per_second", speed.infer_examples_per_second);
  v("infer_tokens_per_second", speed.infer_tokens_per_second);
  v("train_step_ms", speed.train_step_ms);
  v("infer_batch_ms", speed.infer_batch_ms);
  v("padding_share", speed.padding_share);
  v("measured", speed.measured);
  v.part("measured_by", speed.measured_by, !speed.measured_by.empty());
}

template <class V>
void describe(V& v, MemoryPart& memory) {
  v("peak_tensor_bytes", memory.peak_tensor_bytes);
  v("peak_rss_bytes", memory.peak_rss_bytes);
}

template <class V>
void describe(V& v, CostPart& cost) {
  v("train_flops_per_token", cost.train_flops_per_token);
  v("infer_flops_per_token", cost.infer_flops_per_token);
  v.value_or_word("energy_joules", cost.energy_joules, "unavailable");
}

template <class V>
void describe(V& v, Stretch& stretch) {
  v("threads", stretch.threads);
  v("steps", stretch.steps);
}

template <class V>
void describe(V& v, TimePart& time) {
  v("started", time.started);
  v("seconds", time.seconds);
  v("eval_seconds", time.eval_seconds);
  v.part("measured", time.measured, time.measured.has_value());
  v.part("stretches", time.stretches, !time.stretches.empty());
}

template <class V>
void describe(V& v, FilesPart& files) {
  v("curve", files.curve);
  v("model", files.model);
  v("spec", files.spec);
}

template <class V>
void describe(V& v, Record& record) {
  v.constant("schema", kResultSchema);
  v("run_id", record.run_id);
  v("spec_sha256", record.spec_sha256);
  v("status", record.status);
  v("failure", record.failure);
  v("task", record.task);
  v("attention", record.attention);
  v.part("search", record.search, record.search.has_value());
  v.part("evaluated", record.evaluated, !record.evaluated.empty());
  v("preset", record.preset);
  v.object("protocol", [&] {
    v("name", record.protocol);
    v("deviations", record.deviations);
  });
  v("seed", record.seed);
  v("precision", record.precision);
  v("parameters", record.parameters);
  v("division", record.division);
  v("training", record.training);
  v("accuracy", record.accuracy);
  v.part("lengths", record.lengths, !record.lengths.points.empty());
  v("loss", record.loss);
  v("baselines", record.baselines);
  v("verdict", record.verdict);
  v("speed", record.speed);
  v("memory", record.memory);
  v("cost", record.cost);
  v("time", record.time);
  v("environment", record.environment);
  v("files", record.files);
  v("diagnostics", record.diagnostics);
}

namespace {

const JsonSchema& result_schema() {
  static const JsonSchema schema(schema_text("result"), "result.schema.json");
  return schema;
}

// Whether a relative path names something below the folder that it starts from.
bool stays_inside(const std::string& name) {
  const auto path = std::filesystem::path(name).lexically_normal();
  return !name.empty() && path.is_relative() && *path.begin() != "..";
}

// Stored answers must be as many as the evaluated examples and give the accuracy.
template <class Reject>
void check_answers(const Record& record, const Reject& reject) {
  const auto& accuracy = record.accuracy;
  if (accuracy.test_right.empty()) return;
  const std::int64_t count = accuracy.counts.test.value_or(0);
  const auto right = decode_answers(accuracy.test_right, count);
  if (!right) {
    reject("/accuracy/test_right", fmt::format("got {} digits, expected the answers to {} examples",
                                               accuracy.test_right.size(), count));
    return;
  }
  const auto correct = std::count(right->begin(), right->end(), true);
  const double share = static_cast<double>(correct) / static_cast<double>(count);
  if (!accuracy.value.test || std::abs(share - *accuracy.value.test) > 1e-6) {
    reject("/accuracy/test_right",
           fmt::format("got {} right answers of {}, expected the test accuracy", correct, count));
  }
}

// Rules that a schema cannot express.
void check_consistent(const Record& record, std::string_view where) {
  const auto reject = [&](const char* path, const std::string& what) {
    fail(ErrorKind::data, "{}: {}: {}", where, path, what);
  };
  if (record.run_id != record.spec_sha256.substr(0, 16)) {
    reject("/run_id", fmt::format("got {}, expected the first 16 digits of spec_sha256, {}",
                                  record.run_id, record.spec_sha256.substr(0, 16)));
  }
  const bool completed = record.status == Status::completed;
  const bool trial = !record.evaluated.empty();
  if (completed && !trial && !record.accuracy.value.test) {
    reject("/accuracy/test", "got null, expected a number in a completed run");
  }
  if (completed && trial && !record.accuracy.value.val) {
    reject("/accuracy/val", "got null, expected a number in a completed trial");
  }
  if (trial && (record.accuracy.value.test || record.accuracy.value.train)) {
    reject("/accuracy/test",
           "got a number, expected null in a trial evaluated on validation alone");
  }
  if (completed && (!record.task.origin || !record.task.data_sha256)) {
    reject("/task/data", "got null origin or digest, expected both in a completed run");
  }
  if (completed == record.failure.has_value()) {
    reject("/failure", completed ? "got a reason in a completed run, expected null"
                                 : fmt::format("got null, expected the reason of status '{}'",
                                               name_of(record.status)));
  }
  const auto& interval = record.accuracy.test_wilson95;
  const auto& test = record.accuracy.value.test;
  // The interval contains the estimate up to rounding; at 0 and 1 the estimate is its end.
  constexpr double kRounding = 1e-9;
  if (interval && test &&
      (interval->low > *test + kRounding || interval->high < *test - kRounding)) {
    reject("/accuracy/test_wilson95",
           fmt::format("got [{}, {}], expected an interval that contains {}", interval->low,
                       interval->high, *test));
  }
  check_answers(record, reject);
  for (const auto* name : {&record.files.curve, &record.files.model, &record.files.spec}) {
    if (*name && !stays_inside(**name)) {
      reject("/files", fmt::format("got \"{}\", expected a file of the run's own folder", **name));
    }
  }
  for (const auto* times : {&record.speed.train_step_ms, &record.speed.infer_batch_ms}) {
    if (*times && ((*times)->p10 > (*times)->median || (*times)->median > (*times)->p90)) {
      reject("/speed", fmt::format("got p10 {}, median {}, p90 {}, expected ascending order",
                                   (*times)->p10, (*times)->median, (*times)->p90));
    }
  }
}

}  // namespace

json to_json(const Record& record) {
  json result = to_fields(record);
  result_schema().require(result, "result of run " + record.run_id, ErrorKind::config);
  return result;
}

Record from_json(const json& value, std::string_view where) {
  // The version is checked first: the other rules do not apply to files of another version.
  const auto schema = value.is_object() ? value.find("schema") : value.end();
  if (value.is_object() && (schema == value.end() || *schema != kResultSchema)) {
    fail(ErrorKind::data, "{}: /schema: unknown schema version; got {}, expected \"{}\"", where,
         schema == value.end() ? "none" : schema->dump(), kResultSchema);
  }
  result_schema().require(value, where);
  Record record;
  from_fields(value, record);
  set_diagnostics(record, value.at("diagnostics"));
  check_consistent(record, where);
  return record;
}

Record parse_record(std::string_view text, std::string_view where) {
  return from_json(parse_json(text, std::string(where)), where);
}

json to_json(const SearchPart& search) { return to_fields(search); }

SearchPart search_from_json(const json& value, std::string_view where) {
  // A definition of the record's schema, as a separate schema.
  static const JsonSchema schema = [] {
    json all = parse_json(schema_text("result"), "result.schema.json");
    json own = all["properties"]["search"];
    own["definitions"] = all["definitions"];
    return JsonSchema(own.dump(), "result.schema.json");
  }();
  schema.require(value, where);
  SearchPart search;
  from_fields(value, search);
  return search;
}

std::string_view schema_text(std::string_view name) {
  const auto* file = find_embedded(embedded::schemas(), fmt::format("{}.schema.json", name));
  if (file == nullptr) {
    std::vector<std::string> known;
    for (const auto& schema : embedded::schemas()) {
      known.emplace_back(schema.name.substr(0, schema.name.find('.')));
    }
    throw Error(ErrorKind::usage, unknown_name_message("schema", name, known));
  }
  return file->content;
}

}  // namespace lra::results

#include "results/record/study_record.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/fields.h"
#include "engine/base/file.h"
#include "engine/base/json_schema.h"

namespace lra::results {

using nlohmann::json;
namespace fs = std::filesystem;

template <class V>
void describe(V& v, StudySetting& setting) {
  const auto part = [&v](const char* name, auto& value) { v.part(name, value, value.has_value()); };
  part("n", setting.n);
  part("d", setting.d);
  part("m", setting.m);
  part("a0", setting.a0);
  part("a1", setting.a1);
  part("b", setting.b);
  part("c", setting.c);
  part("eps", setting.eps);
  part("f", setting.f);
  part("cross", setting.cross);
  part("residual", setting.residual);
  part("maxpool", setting.maxpool);
  part("scaled", setting.scaled);
}

template <class V>
void describe(V& v, StudyPoint& point) {
  v.part("mode", point.mode, point.mode.has_value());
  v("kernel", point.kernel);
  v("trials", point.trials);
  v("value", point.value);
  v("low", point.low);
  v("high", point.high);
  v("reference", point.reference);
  v.part("source", point.source, !point.source.empty());
  describe(v, point.setting);  // members of the point itself
  v.part("successes", point.successes, point.successes.has_value());
  v.part("false_positives", point.false_positives, point.false_positives.has_value());
  v.part("detections", point.detections, point.detections.has_value());
}

template <class V>
void describe(V& v, StudyRecord& record) {
  v.constant("schema", kStudySchema);
  v.constant("study", "separation");
  v("mode", record.mode);
  v("seed", record.seed);
  v("swept", record.swept);
  v.part("values", record.values, !record.values.empty());
  v("quantity", record.quantity);
  v("source", record.source);
  v("caveat", record.caveat);
  v("points", record.points);
}

namespace {

const JsonSchema& study_schema() {
  static const JsonSchema schema(schema_text("study"), "study.schema.json");
  return schema;
}

// The swept setting of point `at`.
double place_of(const json& point, std::size_t at, const std::string& swept,
                std::string_view where) {
  const auto x = point.find(swept);
  if (x == point.end() || !(x->is_number() || x->is_boolean())) {
    fail(ErrorKind::data, "{}: /points/{}/{}: got {}, expected the swept setting as a number",
         where, at, swept, x == point.end() ? "nothing" : x->dump());
  }
  return x->is_boolean() ? static_cast<double>(x->get<bool>()) : x->get<double>();
}

}  // namespace

json to_json(const StudyRecord& record) {
  json result = to_fields(record);
  study_schema().require(result, "study over " + record.swept, ErrorKind::config);
  return result;
}

StudyRecord study_from_json(const json& value, std::string_view where) {
  study_schema().require(value, where);
  StudyRecord record;
  from_fields(value, record);
  for (std::size_t i = 0; i < record.points.size(); ++i) {
    record.points[i].x = place_of(value.at("points").at(i), i, record.swept, where);
  }
  return record;
}

LoadedStudies load_studies(const std::vector<fs::path>& places, OnFault on_fault) {
  LoadedStudies loaded;
  loaded.faults =
      read_each(find_series(places, "separation", on_fault), on_fault, [&](const fs::path& file) {
        StudyRecord record = study_from_json(read_json(file), file.string());
        record.file = file;
        loaded.records.push_back(std::move(record));
      });
  return loaded;
}

}  // namespace lra::results

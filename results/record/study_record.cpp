#include "results/record/study_record.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json_schema.h"

namespace lra::results {

using nlohmann::json;
namespace fs = std::filesystem;

StudyRecord study_from_json(const json& value, std::string_view where) {
  static const JsonSchema schema(schema_text("study"), "study.schema.json");
  schema.require(value, where);
  StudyRecord record;
  value.at("mode").get_to(record.mode);
  value.at("seed").get_to(record.seed);
  value.at("swept").get_to(record.swept);
  value.at("quantity").get_to(record.quantity);
  value.at("source").get_to(record.source);
  value.at("caveat").get_to(record.caveat);
  for (const json& item : value.at("points")) {
    const auto real = [&](const char* name) {
      const json& number = item.at(name);
      return number.is_null() ? Real() : Real(number.get<double>());
    };
    const auto x = item.find(record.swept);
    if (x == item.end() || !(x->is_number() || x->is_boolean())) {
      fail(ErrorKind::data, "{}: /points/{}/{}: got {}, expected the swept setting as a number",
           where, record.points.size(), record.swept, x == item.end() ? "nothing" : x->dump());
    }
    record.points.push_back(
        {.kernel = item.at("kernel").get<std::string>(),
         .x = x->is_boolean() ? static_cast<double>(x->get<bool>()) : x->get<double>(),
         .trials = item.at("trials").get<std::int64_t>(),
         .value = real("value"),
         .low = real("low"),
         .high = real("high"),
         .reference = real("reference")});
  }
  return record;
}

LoadedStudies load_studies(const std::vector<fs::path>& places, OnFault on_fault) {
  LoadedStudies loaded;
  loaded.faults = read_each(find_series(places, "separation"), on_fault, [&](const fs::path& file) {
    StudyRecord record = study_from_json(read_json(file), file.string());
    record.file = file;
    loaded.records.push_back(std::move(record));
  });
  return loaded;
}

}  // namespace lra::results

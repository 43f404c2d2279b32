#pragma once
// Typed view of a result file of the separation study: what `lra study separation --json` writes
// and the report shows. The layout is in results/schema/study.schema.json, which reading and
// writing check.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/record/load.h"
#include "results/record/record.h"

namespace lra::results {

inline constexpr std::string_view kStudySchema = "lra.study/1";

enum class StudyMode { theory, noise, train };
constexpr auto texts(StudyMode) { return enum_texts("theory", "noise", "train"); }

// The settings of a point under the names that --set takes, `b` = 1 - c and `scaled` besides; empty
// and not written: the mode has no such setting.
struct StudySetting {
  Count n, d, m;
  Real a0, a1, b, c, eps, f;
  std::optional<bool> cross, residual, maxpool, scaled;
};

struct StudyPoint {
  std::string kernel;
  double x = 0;  // of the swept setting; a switch is 0 or 1; not part of the JSON
  std::int64_t trials = 0;
  Real value;
  Real low, high;  // 95 % interval
  Real reference;  // limit of the kernel's family, by the mode's own formula
  std::optional<StudyMode> mode = {};
  std::string source = {};
  StudySetting setting = {};
  Count successes = {}, false_positives = {}, detections = {};  // of theory
};

struct StudyRecord {
  StudyMode mode = StudyMode::theory;
  std::int64_t seed = 0;
  std::string swept;           // name of the setting that differs between points
  std::vector<double> values;  // of it
  std::string quantity;        // what the values of points are
  std::string source;
  std::string caveat;
  std::vector<StudyPoint> points = {};

  std::filesystem::path file = {};  // source file; not part of the JSON
};

// Conversions as for a Record, schema-checked both ways. study_from_json throws Error(data) with
// `where`, the path in the JSON and the fault, also for a point without the swept setting.
[[nodiscard]] nlohmann::json to_json(const StudyRecord& record);
[[nodiscard]] StudyRecord study_from_json(const nlohmann::json& value, std::string_view where);

struct LoadedStudies {
  std::vector<StudyRecord> records;  // sorted by file path
  std::vector<FileFault> faults;     // under OnFault::skip
};

// Reads separation.json and separation-*.json under the places; an empty set is not an error.
[[nodiscard]] LoadedStudies load_studies(const std::vector<std::filesystem::path>& places,
                                         OnFault on_fault);

}  // namespace lra::results

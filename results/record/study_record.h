#pragma once
// Typed view of the output of `lra study separation --json`, as far as the report shows it.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "results/record/load.h"
#include "results/record/record.h"

namespace lra::results {

struct StudyPoint {
  std::string kernel;
  double x = 0;  // of the swept setting; a switch is 0 or 1
  std::int64_t trials = 0;
  Real value;
  Real low, high;  // 95 % interval
  Real reference;  // limit of the kernel's family, by the mode's own formula
};

struct StudyRecord {
  std::string mode;  // "theory", "noise", "train"
  std::int64_t seed = 0;
  std::string swept;     // name of the setting that differs between points
  std::string quantity;  // what the values are
  std::string source;
  std::string caveat;
  std::vector<StudyPoint> points;

  std::filesystem::path file;  // source file; not part of the JSON
};

// Throws Error(data) with `where`, the path in the JSON and the fault, also for a point without the
// swept setting.
[[nodiscard]] StudyRecord study_from_json(const nlohmann::json& value, std::string_view where);

struct LoadedStudies {
  std::vector<StudyRecord> records;  // sorted by file path
  std::vector<FileFault> faults;     // under OnFault::skip
};

// Reads separation.json and separation-*.json under the places; an empty set is not an error.
[[nodiscard]] LoadedStudies load_studies(const std::vector<std::filesystem::path>& places,
                                         OnFault on_fault);

}  // namespace lra::results

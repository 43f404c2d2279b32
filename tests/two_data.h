#pragma once
// For the tests of what belongs to its data: two data sets of one form, and short trainings on
// them.

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/base/file.h"
#include "tests/process.h"

namespace lra::testing {

// Tables of texts in two classes, which `word` makes different data.
inline void write_texts(const std::filesystem::path& folder, const std::string& word) {
  std::filesystem::create_directories(folder);
  for (const char* split : {"train", "test"}) {
    std::ofstream file(folder / fmt::format("{}.csv", split));
    file << "label,text\n";
    for (int i = 0; i < 60; ++i) {
      file << i % 2 << ",\"A " << (i % 2 == 0 ? "dull " : "lovely ") << word << ", " << split << ' '
           << i << "\"\n";
    }
  }
}

inline const std::vector<std::string> kTinySteps{"train.steps=4", "train.eval_every=2",
                                                 "train.batch_size=4", "task.max_length=64",
                                                 "diagnostics.samples=0"};

inline std::vector<std::string> training(const std::filesystem::path& data, const std::string& out,
                                         const std::vector<std::string>& more = {}) {
  std::vector<std::string> a{"train",    "--task", "text",        "--attention", "linear",
                             "--preset", "tiny",   "--precision", "f32",         "--out",
                             out,        "--data", data.string()};
  for (const auto& setting : kTinySteps) a.insert(a.end(), {"--set", setting});
  a.insert(a.end(), more.begin(), more.end());
  return a;
}

inline std::string result_of(const std::filesystem::path& run) {
  return read_file(run / "result.json");
}

inline std::string digest_of(const std::filesystem::path& run) {
  return read_json(run / "result.json")["task"]["data"]["sha256"].get<std::string>().substr(0, 12);
}

struct TwoData {
  explicit TwoData(const std::string& name) : folder(name) {
    write_texts(folder.path() / "A", "picture");
    write_texts(folder.path() / "B", "painting");
  }
  [[nodiscard]] std::filesystem::path a() const { return folder.path() / "A"; }
  [[nodiscard]] std::filesystem::path b() const { return folder.path() / "B"; }
  Scratch folder;
};

}  // namespace lra::testing

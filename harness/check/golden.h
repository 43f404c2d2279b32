#pragma once
// Golden vectors: the project's own code against inputs, outputs and gradients that were computed
// elsewhere in double precision. The library behind `lra check golden`.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "engine/base/error.h"
#include "engine/tensor/tensor.h"

namespace lra::harness {

enum class GoldenStatus { pass, fail, skip };

// One case. Errors are max |a - e| / max(1e-3, S), with S the largest |e| of that output or, for
// gradients, of all gradients of the case.
struct GoldenResult {
  std::filesystem::path file;
  std::string variant;
  std::string name;
  bool optional = false;
  GoldenStatus status = GoldenStatus::pass;
  double output_error = 0, output_tolerance = 0;      // the worst output
  double gradient_error = 0, gradient_tolerance = 0;  // the worst gradient
  std::string worst;  // the tensor that misses its tolerance most, if one does
  std::string note;   // why it was skipped or could not run
};

struct GoldenReport {
  struct FileError {
    std::filesystem::path file;
    ErrorKind kind;
    std::string message;
  };
  std::vector<GoldenResult> cases;
  std::vector<FileError> errors;  // files that could not be run at all
  [[nodiscard]] std::int64_t count(GoldenStatus status) const;
  // Exit code: 0 if all cases passed or were skipped, 1 if a case failed; an unusable file's code
  // (2 or 3) takes precedence.
  [[nodiscard]] int exit_code() const;
};

struct GoldenOptions {
  // f32 with the tolerances of the format; bf16 with its guide values, without the cases whose
  // discrete choices or pseudo-inverses amplify rounding.
  engine::DType precision = engine::DType::f32;
  // Called after each case and for each unusable file.
  std::function<void(const GoldenResult&)> on_case = {};
  std::function<void(const GoldenReport::FileError&)> on_error = {};
};

// Runs one file. Throws Error(data, io) for a file that is not a golden file and Error(usage) for
// an unknown variant or block; the message names file and case.
[[nodiscard]] std::vector<GoldenResult> check_golden_file(const std::filesystem::path& path,
                                                          const GoldenOptions& options = {});

// Runs files, and all .json files in folders and below, in the order of their names. Unusable files
// are reported; the others still run. Throws Error(usage) for a folder without such files.
[[nodiscard]] GoldenReport check_golden(const std::vector<std::filesystem::path>& paths,
                                        const GoldenOptions& options = {});

// "PASS softmax/masked   out 1.2e-07 (2e-05)  grad 2.0e-07 (5e-05)"
[[nodiscard]] std::string golden_line(const GoldenResult& result);
// "332 passed, 0 failed, 9 skipped", followed by the number of unusable files, if any.
[[nodiscard]] std::string golden_summary(const GoldenReport& report);

}  // namespace lra::harness

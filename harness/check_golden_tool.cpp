// Runs golden files, or compares a variant (or all) with its definition:
//   check_golden_tool [--bf16] PATH... | --gradients NAME

#include <fmt/format.h>

#include <string_view>

#include "harness/check_golden.h"
#include "harness/check_gradients.h"

int main(int argc, char** argv) {
  lra::harness::GoldenOptions options;
  options.on_case = [](const auto& result) {
    fmt::print("{}\n", lra::harness::golden_line(result));
  };
  options.on_error = [](const auto& error) { fmt::print("ERROR {}\n", error.message); };
  std::vector<std::filesystem::path> paths;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--bf16") {
      options.precision = lra::engine::DType::bf16;
    } else {
      paths.emplace_back(argv[i]);
    }
  }
  try {
    if (argc == 3 && std::string_view(argv[1]) == "--gradients") {
      const auto results = lra::harness::check_gradients(argv[2], [](const auto& result) {
        fmt::print("{}\n", lra::harness::gradient_line(result));
      });
      fmt::print("{}\n", lra::harness::gradient_summary(results));
      return lra::harness::gradient_exit_code(results);
    }
    const auto report = lra::harness::check_golden(paths, options);
    fmt::print("{}\n", lra::harness::golden_summary(report));
    return report.exit_code();
  } catch (const lra::Error& e) {
    fmt::print(stderr, "error: {}\n", e.what());
    return lra::exit_code(e.kind());
  }
}

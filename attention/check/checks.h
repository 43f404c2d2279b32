#pragma once
// The generic checks of attention variants: rules for every variant of the registry, and the claims
// of its traits. The tests of this folder and `lra check variant` run the same functions, so that
// the same rules apply to plugins and built-in variants.

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "attention/attention.h"

namespace lra::attention {

// Result of a check.
struct Findings {
  std::vector<std::string> faults;
  std::int64_t settings = 0;  // option sets and lengths that were compared
  std::string skipped;        // why it does not apply, if it does not

  [[nodiscard]] bool passed() const { return faults.empty(); }
  template <class... Args>
  void fault(fmt::format_string<Args...> format, Args&&... args) {
    faults.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  // A fault unless error <= tolerance; NaN is a fault.
  void at_most(double error, double tolerance, const std::string& what);
};

struct VariantCheck {
  const char* name;   // "padding"
  const char* title;  // "padding changes nothing where it is honoured"
  void (*run)(const std::string& variant, Findings& findings);
};

// All checks, cheapest first.
[[nodiscard]] const std::vector<VariantCheck>& variant_checks();

// Runs the check with this name; an exception of the variant is a fault. Throws Error(usage) for an
// unknown check or variant.
[[nodiscard]] Findings run_check(const std::string& check, const std::string& variant);

// Implementations named "ref..." of the primitives of a training step with n tokens.
[[nodiscard]] std::vector<std::string> reference_kernels(const std::string& variant, std::int64_t n,
                                                         DType type);

}  // namespace lra::attention

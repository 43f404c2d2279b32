#pragma once
// Catch2 2.13 (Debian 12) and 3.x behind one include, for tests only.

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
namespace lra::testing {
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
}  // namespace lra::testing
#else
#include <catch2/catch.hpp>
namespace lra::testing {
using Approx = Catch::Detail::Approx;
inline auto ContainsSubstring(const std::string& text) { return Catch::Matchers::Contains(text); }
}  // namespace lra::testing
#endif

namespace lra::testing {
// The root of the source tree that the tests were built from, for files beside them.
[[nodiscard]] const char* source_dir();
}  // namespace lra::testing

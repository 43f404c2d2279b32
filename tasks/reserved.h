#pragma once
// Names that no data set may have.

#include <string_view>

namespace lra::tasks {

// Whether tables use the name for something else: a column of `lra table`, a measure or its short
// word. The words themselves are those of results; a test of the harness, which sees both,
// compares.
[[nodiscard]] bool is_reserved_name(std::string_view name);

}  // namespace lra::tasks

#pragma once
// The files of the report's page that are compiled in: template, style, scripts, D3.

#include <string_view>

namespace lra::results {

// The content of one of them. Throws Error(backend) if it is not compiled in, as D3 may not be.
[[nodiscard]] std::string_view report_file(std::string_view name);

}  // namespace lra::results

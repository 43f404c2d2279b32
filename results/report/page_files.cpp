#include "results/report/page_files.h"

#include "embedded/report_files.h"
#include "engine/base/error.h"
#include "results/report/report.h"

namespace lra::results {

std::string_view report_file(std::string_view name) {
  const auto* file = find_embedded(embedded::report_files(), name);
  if (file == nullptr) fail(ErrorKind::backend, "report: {} is not compiled in", name);
  return file->content;
}

bool report_has_pictures() { return find_embedded(embedded::report_files(), "d3.js") != nullptr; }

}  // namespace lra::results

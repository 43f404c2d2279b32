#pragma once
// The page that `lra report` and `lra run` write.

#include <filesystem>
#include <string>
#include <vector>

#include "results/table/table.h"

namespace lra::harness::cli {

// Writes the page of all results below `places`; faulty files are left out and named in it.
void write_report(const std::vector<std::string>& places, const std::filesystem::path& out,
                  const results::TableOptions& table);

}  // namespace lra::harness::cli

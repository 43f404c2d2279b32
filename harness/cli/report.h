#pragma once
// The HTML page written by `lra report` and `lra run`.

#include <filesystem>
#include <string>
#include <vector>

#include "results/record/load.h"
#include "results/table/table.h"

namespace lra::harness::cli {

// Writes the page of all results below `places`; faulty files are left out and named in it. An
// empty title becomes that of the first place's suite, or the folder's name.
void write_report(const std::vector<std::string>& places, const std::filesystem::path& out,
                  const results::TableOptions& table, const std::string& title = "",
                  results::Members members = results::Members::current);

}  // namespace lra::harness::cli

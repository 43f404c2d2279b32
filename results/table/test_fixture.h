#pragma once
// For tests of tables: the records of the fixture.

#include <filesystem>
#include <vector>

#include "results/record/load.h"
#include "results/record/record.h"
#include "results/table/table.h"
#include "tests/catch.h"

namespace lra::results::testing {

inline const std::filesystem::path kData =
    std::filesystem::path(lra::testing::source_dir()) / "results" / "testdata";

// All formats of a table.
inline constexpr auto kFormats = {TableFormat::text, TableFormat::md,   TableFormat::csv,
                                  TableFormat::tex,  TableFormat::html, TableFormat::json};

inline const std::vector<Record>& fixture() {
  static const auto loaded = load_records({kData / "fixture"}, OnFault::refuse);
  return loaded.records;
}

}  // namespace lra::results::testing

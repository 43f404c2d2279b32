#pragma once
// The report: one HTML page that opens from a file, without network, with sortable tables and
// pictures drawn by D3 (https://d3js.org, from Debian's node-d3, compiled in at build time).

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "results/record/bench_record.h"
#include "results/record/load.h"
#include "results/record/study_record.h"
#include "results/table/table.h"

namespace lra::results {

struct ReportOptions {
  std::string title = "lra report";
  std::string subtitle;      // one line beneath it; may be empty
  std::size_t left_out = 0;  // runs that the page does not show because their suite dropped them
  TableOptions table;  // filters, --with, --delta, --baseline, ...; columns and format are not used
  std::filesystem::path folder;  // folder of the page, the base of links to run folders
};

// Whether the program was built with D3; without it the page has only tables and explains why
// pictures are missing.
[[nodiscard]] bool report_has_pictures();

// The page. The same input gives the same bytes. Throws as build_table(), but benches or studies
// alone are sufficient; then options about runs are Error(usage).
[[nodiscard]] std::string render_report(const std::vector<Record>& records,
                                        const std::vector<BenchRecord>& benches,
                                        const std::vector<StudyRecord>& studies,
                                        const std::vector<FileFault>& faults,
                                        const ReportOptions& options);

// The data of the page's pictures, as embedded in the page; `faults` are messages of damaged
// learning curves, which are left out.
[[nodiscard]] nlohmann::json report_data(const std::vector<Record>& records,
                                         const std::vector<BenchRecord>& benches,
                                         const std::vector<StudyRecord>& studies,
                                         const ReportOptions& options);

// Draws every picture of a page into FOLDER/NAME.svg, by running the page's own drawing code in the
// program `node` (Debian: nodejs). Returns the files, sorted. Throws Error(backend) if node is
// missing or fails, or if the page was made without pictures.
std::vector<std::filesystem::path> save_pictures(const std::filesystem::path& page,
                                                 const std::filesystem::path& folder);

}  // namespace lra::results

#pragma once
// Pathfinder's metadata files: one row per picture. The arena's release has them as plain text
// named .npy (fields separated by one blank), the original generator writes true NumPy arrays of
// strings; both have the same eleven columns: folder, file, number, label, continuity, contour
// length, distractor length, paddle length, thickness, margin, number of paddle contrasts.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "tasks/pathfinder/generator.h"

namespace lra::tasks::pathfinder {

// The parts of a row that a loader needs.
struct MetadataRow {
  std::string picture;  // folder/file, e.g. "imgs/0/sample_17.png"
  int label = 0;        // 0 or 1
  std::string place;    // "<where>:<line>" (or row of an array, from 1)
};

// Reads the content of one metadata file, text or NumPy (versions 1 and 2, '<U' or '|S' strings),
// and calls add(row) for each row in order. A row with fewer than four columns, a path that leaves
// the folder, a label other than 0 and 1 or text that is not ASCII is passed to fault(message) and
// left out. Throws Error(data), beginning with `where`, for an empty file or a malformed array.
void read_metadata(std::string_view content, const std::string& where,
                   const std::function<void(MetadataRow&&)>& add,
                   const std::function<void(const std::string&)>& fault);

// A row in the form of the release, with its line end.
[[nodiscard]] std::string metadata_line(const Setting& setting, std::uint64_t batch,
                                        std::uint64_t number, const Facts& facts);

}  // namespace lra::tasks::pathfinder

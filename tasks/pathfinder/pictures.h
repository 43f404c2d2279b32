#pragma once
// A set of Pathfinder pictures in the official layout, unpacked or in a tar archive:
//   <set>/<difficulty>/metadata/<batch>.npy and <set>/<difficulty>/imgs/<batch>/sample_<n>.png,
// <set> being pathfinder32 and so on. Batch numbers need not be consecutive.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tasks/pathfinder/metadata.h"

namespace lra::tasks::pathfinder {

class PictureSet {
 public:
  PictureSet() = default;
  PictureSet(const PictureSet&) = delete;
  PictureSet& operator=(const PictureSet&) = delete;
  virtual ~PictureSet() = default;

  // All rows of the metadata, batches by number, rows in their order.
  [[nodiscard]] const std::vector<MetadataRow>& rows() const { return rows_; }
  // SHA-256 of the metadata files' contents, in their order.
  [[nodiscard]] const std::string& metadata_sha256() const { return metadata_sha256_; }
  // The folder, or the archive and the folder in it, for messages.
  [[nodiscard]] const std::string& name() const { return name_; }
  // The encoded picture of a row; safe to call from many threads. Throws Error(data) if it is
  // missing.
  [[nodiscard]] virtual std::string encoded(const MetadataRow& row) const = 0;
  // The card that a generator wrote beside the pictures (text of a JSON file), if there is one.
  [[nodiscard]] virtual std::optional<std::string> card() const = 0;

 protected:
  using FaultHandler = std::function<void(const std::string&)>;
  // Metadata files by batch name, to their contents.
  void take_metadata(const std::vector<std::pair<std::string, std::string>>& files,
                     const FaultHandler& fault);
  std::vector<MetadataRow> rows_;
  std::string metadata_sha256_;
  std::string name_;
};

inline constexpr const char* kCardName = "lra_data.json";

// The folder of a difficulty. Row faults go to `fault`: those of read_metadata and duplicate
// pictures (the second is left out). Throws Error(data) if there is no metadata.
[[nodiscard]] std::unique_ptr<PictureSet> open_folder(
    const std::filesystem::path& folder, const std::function<void(const std::string&)>& fault);

// The same from a tar archive that contains <set>/<difficulty>/ anywhere, or <difficulty>/ at its
// top. Of several, the one below lra_release/lra_release/ is used (the release has a second
// pathfinder128 that was reported to be unlearnable), else the deepest. Two passes; the encoded
// pictures of the set are kept in memory.
[[nodiscard]] std::unique_ptr<PictureSet> open_archive(
    const std::filesystem::path& archive, const Setting& setting,
    const std::function<void(const std::string&)>& fault);

// Whether a folder contains imgs/ and metadata/.
[[nodiscard]] bool is_picture_folder(const std::filesystem::path& folder);

// Draws pictures 0 .. count - 1 and writes them in batches of a thousand, with their metadata as
// text, into out/<set>/<difficulty>; returns that folder. Calls progress(done) after each batch.
// Throws Error(usage) if the folder has pictures already, Error(io) if it cannot be written.
std::filesystem::path write_pictures(const Generator& generator, std::uint64_t count,
                                     const std::filesystem::path& out,
                                     const std::function<void(std::uint64_t)>& progress);
inline constexpr std::uint64_t kBatch = 1000;

}  // namespace lra::tasks::pathfinder

#include "tasks/pathfinder/pictures.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <system_error>
#include <unordered_map>
#include <unordered_set>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tasks/io/archive.h"
#include "tasks/locate.h"
#include "tasks/pathfinder/grey_png.h"
#include "tasks/release.h"

namespace lra::tasks::pathfinder {
namespace {

namespace fs = std::filesystem;
using Files = std::vector<std::pair<std::string, std::string>>;  // name, content

constexpr std::uint64_t kMaxMetadataBytes = std::uint64_t{1} << 28U;
constexpr std::uint64_t kMaxPictureBytes = std::uint64_t{1} << 20U;

// Batches are numbered: 2.npy comes before 10.npy.
bool by_number(const std::string& a, const std::string& b) {
  return std::pair(a.size(), std::string_view(a)) < std::pair(b.size(), std::string_view(b));
}

// Throws Error(data) if the path is missing or not a file.
std::string read_picture_file(const fs::path& path) {
  if (!is_file(path)) {
    std::error_code code;
    const bool there = fs::exists(path, code);
    fail(ErrorKind::data, "{}: {}", path.string(),
         there ? "not a regular file" : "cannot read: no such file");
  }
  return read_file(path);
}

class FolderSet final : public PictureSet {
 public:
  FolderSet(const fs::path& folder, const FaultHandler& fault) : folder_(folder) {
    name_ = folder.string();
    Files files;
    for (const fs::path& file : entries_of(folder / "metadata")) {
      if (file.extension() == ".npy") {
        files.emplace_back(file.filename().string(), read_picture_file(file));
      }
    }
    take_metadata(files, fault);
  }

  [[nodiscard]] std::string encoded(const MetadataRow& row) const override {
    return read_picture_file(folder_ / row.picture);  // the row's path has no ".." parts
  }

  [[nodiscard]] std::optional<std::string> card() const override {
    if (!is_file(folder_ / kCardName)) return std::nullopt;
    return read_file(folder_ / kCardName);
  }

 private:
  fs::path folder_;
};

class ArchiveSet final : public PictureSet {
 public:
  ArchiveSet(const fs::path& archive, const Setting& setting, const FaultHandler& fault) {
    const std::string difficulty = setting.difficulty_name();
    std::map<std::string, Files> found;  // by the difficulty's folder in the archive
    read_archive(archive, {"**/" + difficulty + "/metadata/*.npy"}, [&](ArchiveEntry& entry) {
      const fs::path path(entry.name());
      const fs::path folder = path.parent_path().parent_path();
      const fs::path set = folder.parent_path();
      if (!set.empty() && set.filename() != setting.set_name()) return;
      found[folder.string()].emplace_back(path.filename().string(),
                                          entry.read_all(kMaxMetadataBytes));
    });
    if (found.empty()) {
      fail(ErrorKind::data, "{}: contains no {}/{}/metadata", archive.string(), setting.set_name(),
           difficulty);
    }
    std::vector<std::string> folders;
    for (const auto& [name, unused] : found) folders.push_back(name);
    const std::string folder = preferred_folder(folders);
    const Files& files = found.at(folder);
    name_ = archive.string() + ":" + folder;
    take_metadata(files, fault);
    read_pictures(archive, folder);
  }

  [[nodiscard]] std::string encoded(const MetadataRow& row) const override {
    const auto at = pictures_.find(row.picture);
    if (at == pictures_.end()) {
      fail(ErrorKind::data, "{}/{}: not in the archive", name_, row.picture);
    }
    return at->second;
  }

  [[nodiscard]] std::optional<std::string> card() const override { return card_; }

 private:
  void read_pictures(const fs::path& archive, const std::string& folder) {
    for (const MetadataRow& row : rows_) wanted_.insert(row.picture);
    read_archive(archive, {folder + "/imgs/**", folder + "/" + kCardName},
                 [&](ArchiveEntry& entry) {
                   const std::string name = entry.name().substr(folder.size() + 1);
                   if (name == kCardName) {
                     card_ = entry.read_all(kMaxPictureBytes);
                   } else if (wanted_.count(name) != 0) {
                     pictures_[name] = entry.read_all(kMaxPictureBytes);
                   }
                 });
  }

  std::unordered_set<std::string> wanted_;
  std::unordered_map<std::string, std::string> pictures_;  // by the path in the difficulty's folder
  std::optional<std::string> card_;
};

void write_plain(const fs::path& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (!file) fail(ErrorKind::io, "{}: cannot write", path.string());
}

}  // namespace

void PictureSet::take_metadata(const Files& files, const FaultHandler& fault) {
  if (files.empty()) {
    fail(ErrorKind::data, "{}/metadata: contains no .npy files", name_);
  }
  std::vector<const Files::value_type*> ordered;
  ordered.reserve(files.size());
  for (const auto& file : files) ordered.push_back(&file);
  std::sort(ordered.begin(), ordered.end(),
            [](const auto* a, const auto* b) { return by_number(a->first, b->first); });
  Sha256 digest;
  std::unordered_map<std::string, std::string> seen;  // picture to the line that names it
  for (const auto* file : ordered) {
    digest.update(file->second);
    read_metadata(
        file->second, fmt::format("{}/metadata/{}", name_, file->first),
        [&](MetadataRow&& row) {
          const auto [known, is_new] = seen.emplace(row.picture, row.place);
          if (is_new) {
            rows_.push_back(std::move(row));
          } else {
            fault(fmt::format("{}: picture {} is named a second time; first by {}", row.place,
                              row.picture, known->second));
          }
        },
        fault);
  }
  metadata_sha256_ = digest.hex();
}

std::unique_ptr<PictureSet> open_folder(const fs::path& folder,
                                        const std::function<void(const std::string&)>& fault) {
  return std::make_unique<FolderSet>(folder, fault);
}

std::unique_ptr<PictureSet> open_archive(const fs::path& archive, const Setting& setting,
                                         const std::function<void(const std::string&)>& fault) {
  return std::make_unique<ArchiveSet>(archive, setting, fault);
}

bool is_picture_folder(const fs::path& folder) {
  return is_folder(folder / "imgs") && is_folder(folder / "metadata");
}

fs::path write_pictures(const Generator& generator, std::uint64_t count, const fs::path& out,
                        const std::function<void(std::uint64_t)>& progress) {
  const Setting& setting = generator.setting();
  const auto side = static_cast<std::size_t>(setting.size);
  fs::path folder = out / setting.set_name() / setting.difficulty_name();
  std::error_code code;
  if (fs::exists(folder, code)) {
    fail(ErrorKind::usage, "{}: exists already; choose another folder or remove it",
         folder.string());
  }
  const auto create = [&](const fs::path& path) {
    fs::create_directories(path, code);
    if (code) fail(ErrorKind::io, "{}: cannot create: {}", path.string(), code.message());
  };
  create(folder / "metadata");
  for (std::uint64_t first = 0; first < count; first += kBatch) {
    const std::uint64_t batch = first / kBatch;
    const fs::path images = folder / "imgs" / std::to_string(batch);
    create(images);
    std::vector<Facts> facts(std::min(kBatch, count - first));
    tbb::parallel_for(std::size_t{0}, facts.size(), [&](std::size_t i) {
      std::vector<std::uint8_t> pixels(side * side);
      facts[i] = generator.draw(first + i, pixels);
      write_plain(images / fmt::format("sample_{}.png", i),
                  encode_grey_png(pixels, setting.size, setting.size));
    });
    std::string metadata;
    for (std::size_t i = 0; i < facts.size(); ++i) {
      metadata += metadata_line(setting, batch, i, facts[i]);
    }
    write_plain(folder / "metadata" / fmt::format("{}.npy", batch), metadata);
    if (progress) progress(first + facts.size());
  }
  return folder;
}

}  // namespace lra::tasks::pathfinder

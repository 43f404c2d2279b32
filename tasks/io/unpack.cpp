#include "tasks/io/unpack.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <utility>

#include "engine/base/error.h"
#include "tasks/io/output_file.h"

namespace lra::tasks {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 18U;

}  // namespace

Unpacker::Unpacker(std::vector<std::string> folders, std::filesystem::path staging,
                   Progress progress)
    : folders_(std::move(folders)),
      staging_(std::move(staging)),
      progress_(std::move(progress)),
      place_(folders_.size()),
      block_(kBlock) {}

std::vector<std::string> Unpacker::patterns() const {
  std::vector<std::string> all;
  for (const auto& folder : folders_) all.push_back(folder + "/**");
  return all;
}

void Unpacker::take(ArchiveEntry& entry) {
  const auto at = std::find_if(folders_.begin(), folders_.end(), [&](const std::string& folder) {
    return entry.name().starts_with(folder + "/");
  });
  const auto place = static_cast<std::size_t>(at - folders_.begin());
  if (place > place_ || at == folders_.end()) return;
  if (place < place_) {
    restart();
    place_ = place;
  }
  const std::filesystem::path path = staging_ / entry.name().substr(at->size() + 1);
  if (path.parent_path() != last_folder_) {
    last_folder_ = path.parent_path();
    create_folder(last_folder_);
  }
  OutputFile file(path, false);
  while (const std::size_t got = entry.read(block_)) file.write(std::span(block_).first(got));
  file.close();
  if (++files_ % 1000 == 0 && progress_) progress_("unpack", files_, 0);
}

void Unpacker::restart() {
  remove_path(staging_);
  files_ = 0;
  last_folder_.clear();
  place_ = folders_.size();
}

std::int64_t Unpacker::finish(const std::string& archive) const {
  if (files_ == 0) {
    fail(ErrorKind::data, "{}: contains nothing below {}", archive, fmt::join(folders_, " or "));
  }
  if (progress_) progress_("unpack", files_, files_);
  return files_;
}

}  // namespace lra::tasks

// MNIST's idx files (LeCun, Cortes, Burges, "The MNIST database of handwritten digits"), also of
// Fashion-MNIST and EMNIST: *-images-idx3-ubyte and *-labels-idx1-ubyte, as published with .gz.

#include <map>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tasks/file/formats.h"
#include "tasks/io/archive.h"
#include "tasks/io/table.h"
#include "tasks/locate.h"

namespace lra::tasks::file {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestFile = std::uint64_t{8} << 30U;

// A name without the ending of a compressed file.
std::string unpacked_name(const fs::path& file) {
  return (file.extension() == ".gz" ? file.stem() : file.filename()).string();
}

// The idx files of a folder.
std::vector<Part> parts_in(const fs::path& path) {
  if (!is_folder(path)) return {};
  std::map<Split, Part> parts;
  for (const fs::path& file : entries_of(path)) {
    const std::string name = lower_case(file.filename().string());
    const auto has = [&](const char* text) { return name.find(text) != std::string::npos; };
    if (!has("idx") || !has("ubyte") || (!has("images") && !has("labels"))) continue;
    if (!is_file(file)) continue;
    const Split split = has("t10k") || has("test") ? Split::test : Split::train;
    parts[split].split = split;
    fs::path& place = has("images") ? parts[split].path : parts[split].labels;
    if (!place.empty() && unpacked_name(place) != unpacked_name(file)) {
      fail(ErrorKind::data,
           "{}: got {} and {}, expected the files of one set; move the others to another folder",
           path.string(), place.filename().string(), file.filename().string());
    }
    if (place.empty() || place.extension() == ".gz") place = file;  // the unpacked one of two
  }
  std::vector<Part> result;
  for (auto& [split, part] : parts) {
    if (part.path.empty() || part.labels.empty()) {
      fail(ErrorKind::data, "{}: {}: got no idx file of {}", path.string(), split_name(split),
           part.path.empty() ? "images" : "labels");
    }
    result.push_back(std::move(part));
  }
  return result;
}

// The files of a folder, or of `raw` below it, where torchvision puts them.
std::vector<Part> idx_parts(const fs::path& path) {
  const std::string name = lower_case(path.filename().string());
  if (name.find("idx") != std::string::npos && name.find("ubyte") != std::string::npos &&
      is_file(path)) {
    fail(ErrorKind::data,
         "{}: got one idx file, expected the folder that has the images and their labels",
         path.string());
  }
  auto parts = parts_in(path);
  return parts.empty() ? parts_in(path / "raw") : parts;
}

struct Idx {
  std::string content;
  std::vector<std::size_t> shape;
  std::size_t header = 0;  // bytes before the data
};

Idx read_idx(const fs::path& file, std::size_t dimensions) {
  Idx idx;
  idx.content = file.extension() == ".gz" ? read_compressed(file, kLargestFile) : read_file(file);
  const auto word = [&](std::size_t at) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      value = (value << 8U) | static_cast<unsigned char>(idx.content[at + i]);
    }
    return value;
  };
  constexpr std::size_t kBytes = 0x800;  // unsigned bytes; the last byte counts the dimensions
  idx.header = 4 + 4 * dimensions;
  if (idx.content.size() < idx.header || word(0) != kBytes + dimensions) {
    fail(ErrorKind::data, "{}: not an idx file of {} dimensions of bytes", file.string(),
         dimensions);
  }
  std::size_t left = idx.content.size() - idx.header;
  bool fits = true;
  std::size_t product = 1;
  for (std::size_t i = 0; i < dimensions; ++i) {
    idx.shape.push_back(word(4 + 4 * i));
    fits = fits && idx.shape.back() > 0 && product <= left / idx.shape.back();
    product *= fits ? idx.shape.back() : 1;
  }
  if (!fits || product != left) {
    fail(ErrorKind::data, "{}: got {} bytes of data, expected those of its header's sizes",
         file.string(), left);
  }
  return idx;
}

void read_digits(const Part& part, const Settings& settings, const Handler& handler) {
  require_kind(settings, {Kind::pixels, Kind::tokens}, "idx files");
  require_no_columns(settings, {}, "idx files");
  const Idx images = read_idx(part.path, 3);
  const Idx labels = read_idx(part.labels, 1);
  if (images.shape[0] != labels.shape[0]) {
    fail(ErrorKind::data, "{}: got {} labels, expected {}, one for each picture",
         part.labels.string(), labels.shape[0], images.shape[0]);
  }
  const std::size_t area = images.shape[1] * images.shape[2];
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(images.content.data()) + images.header;
  for (std::size_t i = 0; i < images.shape[0]; ++i, bytes += area) {
    Record record;
    record.place = fmt::format("{}: picture {}", part.path.string(), i);
    record.label = std::to_string(static_cast<unsigned char>(labels.content[labels.header + i]));
    add_pixels(bytes, area, 1, settings, record.ids);
    handler.take(record);
  }
}

}  // namespace

Format idx_files() {
  return {"idx files", idx_parts,
          [](const Part& part) {
            return std::vector<fs::path>{part.path, part.labels};
          },
          read_digits};
}

}  // namespace lra::tasks::file

// The binary batches of CIFAR-10 and CIFAR-100 (Krizhevsky 2009, "Learning Multiple Layers of
// Features from Tiny Images"), in colour: 32 x 32 pixels of red, green and blue, 3,072 values. A
// record is one or two labels (CIFAR-100: coarse, fine) and the three planes.

#include <algorithm>
#include <array>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tasks/file/formats.h"
#include "tasks/locate.h"

namespace lra::tasks::file {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPixels = 1024;
constexpr std::size_t kPlanes = 3 * kPixels;

// Whether a file has the name of a batch of CIFAR-10 or CIFAR-100.
bool is_batch(const fs::path& file) {
  const std::string name = file.filename().string();
  return (name == "train.bin" || name == "test.bin" || name == "test_batch.bin" ||
          (name.starts_with("data_batch_") && name.ends_with(".bin"))) &&
         is_file(file);
}

std::vector<Part> cifar_parts(const fs::path& path) {
  if (is_batch(path)) {
    fail(ErrorKind::data, "{}: got one of CIFAR's batches, expected the folder that has them",
         path.string());
  }
  for (const char* inner : {"", "cifar-10-batches-bin", "cifar-100-binary"}) {
    const fs::path folder = *inner == '\0' ? path : path / inner;
    if (!is_folder(folder)) continue;
    std::vector<Part> parts;
    for (int i = 1; i <= 5; ++i) {
      const fs::path batch = folder / fmt::format("data_batch_{}.bin", i);
      if (is_file(batch)) parts.push_back({Split::train, batch, {}});
    }
    for (const auto& [name, split] :
         {std::pair{"test_batch.bin", Split::test}, std::pair{"train.bin", Split::train},
          std::pair{"test.bin", Split::test}}) {
      if (is_file(folder / name)) parts.push_back({split, folder / name, {}});
    }
    if (!parts.empty()) return parts;
  }
  return {};
}

void read_batch(const Part& part, const Settings& settings, const Handler& handler) {
  require_kind(settings, {Kind::pixels, Kind::tokens}, "CIFAR's batches");
  const std::string file = part.path.string();
  const std::string content = read_file(part.path);
  const std::string name = part.path.filename().string();
  const bool hundred = name == "train.bin" || name == "test.bin";
  if (hundred) {
    require_no_columns(settings, {"fine", "coarse"}, "CIFAR-100's batches");
  } else {
    require_no_columns(settings, {}, "CIFAR-10's batches");
  }
  const std::size_t labels = hundred ? 2 : 1;
  const bool coarse = hundred && settings.label_column == "coarse";
  const std::size_t bytes = labels + kPlanes;
  if (content.empty() || content.size() % bytes != 0) {
    fail(ErrorKind::data, "{}: size; got {} bytes, expected records of {} bytes", file,
         content.size(), bytes);
  }
  for (std::size_t i = 0; i < content.size() / bytes; ++i) {
    const auto* record_bytes = reinterpret_cast<const std::uint8_t*>(content.data()) + i * bytes;
    const auto* planes = record_bytes + labels;
    const unsigned label = record_bytes[hundred && !coarse ? 1 : 0];
    const unsigned largest = !hundred ? 9 : coarse ? 19 : 99;
    if (label > largest) {
      handler.fault(
          fmt::format("{}: record {}: label; got {}, expected 0..{}", file, i, label, largest));
      continue;
    }
    std::array<std::uint8_t, kPlanes> values{};
    for (std::size_t p = 0; p < kPixels; ++p) {
      for (std::size_t c = 0; c < 3; ++c) values[3 * p + c] = planes[c * kPixels + p];
    }
    Record record;
    record.place = fmt::format("{}: record {}", file, i);
    record.label = std::to_string(label);
    add_pixels(values.data(), kPixels, 3, settings, record.ids);
    handler.take(record);
  }
}

}  // namespace

Format cifar_batches() {
  return {"CIFAR's batches", cifar_parts,
          [](const Part& part) { return std::vector<fs::path>{part.path}; }, read_batch};
}

}  // namespace lra::tasks::file

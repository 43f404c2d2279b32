#include "tasks/image/cifar.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <numeric>

#include "engine/base/error.h"
#include "engine/base/file.h"

namespace lra::tasks::image {
namespace {

// weight * (value * (1/255)) for each channel and byte, the product rounded as TensorFlow's
// convert_image_dtype does. Tables prevent compilers from fusing multiplication and addition.
struct Tables {
  std::array<std::array<float, 256>, 3> channel;
  Tables() {
    constexpr std::array<float, 3> kWeights{0.2989F, 0.5870F, 0.1140F};
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::size_t value = 0; value < 256; ++value) {
        channel[c][value] = static_cast<float>(value) * (1.0F / 255.0F) * kWeights[c];
      }
    }
  }
};

}  // namespace

void to_grey(std::span<const std::uint8_t> planes, Grey formula, std::span<std::uint8_t> grey) {
  static const Tables tables;
  const auto red = planes.first(kPixels);
  const auto green = planes.subspan(kPixels, kPixels);
  const auto blue = planes.subspan(2 * kPixels, kPixels);
  for (std::size_t i = 0; i < kPixels; ++i) {
    if (formula == Grey::tf) {
      const float sum =
          tables.channel[0][red[i]] + tables.channel[1][green[i]] + tables.channel[2][blue[i]];
      grey[i] = static_cast<std::uint8_t>(std::min(sum * 255.5F, 255.0F));
    } else {
      grey[i] = static_cast<std::uint8_t>(
          (19595U * red[i] + 38470U * green[i] + 7471U * blue[i] + 32768U) >> 16U);
    }
  }
}

void read_pictures(std::string_view content, const std::string& file, std::size_t record_bytes,
                   std::size_t records, Grey formula,
                   const std::function<void(std::size_t, const Picture&)>& add,
                   const std::function<void(const std::string&)>& fault) {
  if (content.size() != records * record_bytes) {
    fail(ErrorKind::data, "{}: size; got {} bytes, expected {} records of {} bytes = {}", file,
         content.size(), records, record_bytes, records * record_bytes);
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(content.data());
  std::vector<Picture> pictures(records);
  oneapi::tbb::parallel_for(std::size_t{0}, records, [&](std::size_t i) {
    const std::span<const std::uint8_t> record(bytes + i * record_bytes, record_bytes);
    pictures[i].label = record[0];
    if (record_bytes == kColourRecord) {
      to_grey(record.subspan(1), formula, pictures[i].grey);
    } else {
      std::copy(record.begin() + 1, record.end(), pictures[i].grey.begin());
    }
  });
  for (std::size_t i = 0; i < records; ++i) {
    if (pictures[i].label > 9) {
      fault(fmt::format("{}: record {}: label; got {}, expected 0..9", file, i, pictures[i].label));
    } else {
      add(i, pictures[i]);
    }
  }
}

std::vector<bool> validation_choice(const std::vector<std::string>& names) {
  std::vector<std::string> digests(names.size());
  oneapi::tbb::parallel_for(std::size_t{0}, names.size(),
                            [&](std::size_t i) { digests[i] = sha256_hex(names[i]); });
  std::vector<std::size_t> order(names.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&digests](std::size_t a, std::size_t b) { return digests[a] < digests[b]; });
  std::vector<bool> chosen(names.size());
  for (std::size_t i = 0; i < names.size() / 10; ++i) chosen[order[i]] = true;
  return chosen;
}

std::string choice_digest(const std::vector<std::string>& names, const std::vector<bool>& chosen) {
  Sha256 digest;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (chosen[i]) digest.update(names[i]).update("\n");
  }
  return digest.hex();
}

}  // namespace lra::tasks::image

#pragma once
// CIFAR-10 pictures: records of the binary version, and grey values as in the arena's code bases.

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/enum_text.h"
#include "tasks/task.h"

namespace lra::tasks::image {

inline constexpr std::size_t kPixels = 1024;  // 32 x 32, row by row
inline constexpr std::size_t kBatchRecords = 10000;
inline constexpr std::size_t kColourRecord = 1 + 3 * kPixels;  // label, red, green, blue
inline constexpr std::size_t kGreyRecord = 1 + kPixels;        // label, grey

enum class Grey { tf, pil };
constexpr auto texts(Grey) { return enum_texts("tf", "pil"); }

// Grey values of one picture from its three planes.
// tf: floor((0.2989 r s + 0.5870 g s + 0.1140 b s) 255.5), s = 1/255, in 32-bit floats, added in
// this order (tf.image.rgb_to_grayscale on bytes). pil: (19595 r + 38470 g + 7471 b + 32768) >> 16.
void to_grey(std::span<const std::uint8_t> planes, Grey formula, std::span<std::uint8_t> grey);

struct Picture {
  std::int32_t label = 0;
  std::array<std::uint8_t, kPixels> grey;
};

// The pictures of a file of `records` records of `record_bytes` (kColourRecord or kGreyRecord).
// Throws Error(data), naming the file, for a wrong size. A label above 9 is passed to fault ("file:
// record N: ...", from 0) and the record left out. Calls add(number, picture) in order.
void read_pictures(std::string_view content, const std::string& file, std::size_t record_bytes,
                   std::size_t records, Grey formula,
                   const std::function<void(std::size_t, const Picture&)>& add,
                   const std::function<void(const std::string&)>& fault);

// The validation pictures among `names` ("data_batch_1.bin:0") as flags in the order of the names:
// the tenth whose names have the smallest SHA-256.
[[nodiscard]] std::vector<bool> validation_choice(const std::vector<std::string>& names);
// SHA-256 of the chosen names in their order, each with a line end: the split's identity.
[[nodiscard]] std::string choice_digest(const std::vector<std::string>& names,
                                        const std::vector<bool>& chosen);

}  // namespace lra::tasks::image

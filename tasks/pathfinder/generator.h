#pragma once
// The Pathfinder generator of the Long-Range Arena: the algorithm of drewlinsley/pathfinder at
// commit ab9c130 (MIT licence, Junkyung Kim 2018; Kim, Linsley, Thakkar and Serre, ICLR 2020) with
// the settings of google-research/long-range-arena, re-implemented. The distribution of the
// pictures is the original's; the random numbers are ours, so single pictures are not.
//
// A picture contains two target snakes (chains of short bars, "paddles") of equal length, some
// shorter distractor snakes, and two discs. Label 1: both discs are at the ends of one target
// snake.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "tasks/pathfinder/setting.h"

namespace lra::tasks::pathfinder {

// Bumped whenever the pictures of a seed change.
inline constexpr int kGeneratorVersion = 1;

// Facts of a generated picture besides its pixels.
struct Facts {
  int label = 0;
  int margin = 0;
  int distractors = 0;                         // distractor snakes that were placed
  std::array<std::array<int, 2>, 2> marker{};  // (y, x) of the two discs
};

// Draws pictures by number: picture i of a seed is the same on any thread. Immutable after
// construction; safe to use from many threads.
class Generator {
 public:
  Generator(Setting setting, std::uint64_t seed);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  [[nodiscard]] const Setting& setting() const;
  // Draws picture `index` into pixels[size * size], row-major grey values 0..255.
  [[nodiscard]] Facts draw(std::uint64_t index, std::span<std::uint8_t> pixels) const;

  using Consumer = std::function<void(std::uint64_t index, const Facts& facts,
                                      std::span<const std::uint8_t> pixels)>;
  // Draws pictures first .. first + count - 1 with all threads that TBB allows and hands them to
  // `consume` one after the other in order.
  void draw_all(std::uint64_t first, std::uint64_t count, const Consumer& consume) const;

 private:
  struct Tables;
  std::unique_ptr<const Tables> tables_;
};

}  // namespace lra::tasks::pathfinder

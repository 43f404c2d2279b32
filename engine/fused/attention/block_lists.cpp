#include "engine/fused/attention/block_lists.h"

#include <algorithm>
#include <limits>

#include "engine/base/error.h"

namespace lra::engine {
namespace {

template <class T>
std::span<const T> part(const std::vector<T>& all, std::int64_t index, std::int64_t size) {
  return std::span<const T>(all).subspan(static_cast<std::size_t>(index * size),
                                         static_cast<std::size_t>(size));
}

}  // namespace

BlockLists::BlockLists(std::int64_t query_block, std::int64_t key_block)
    : t_(query_block), K_(key_block) {
  if (t_ < 1 || K_ < 1 || t_ > std::numeric_limits<std::int16_t>::max()) {
    fail(ErrorKind::shape, "block_lists: got blocks of {} queries and {} keys", t_, K_);
  }
}

void BlockLists::next_head() {
  fill_slab();
  ++heads_;
}

void BlockLists::tile(std::int64_t begin, std::int64_t count) {
  tile(std::span<const std::int32_t>());
  for (std::int64_t i = 0; i < std::min(count, t_); ++i) {
    queries_[queries_.size() - static_cast<std::size_t>(t_ - i)] =
        static_cast<std::int32_t>(begin + i);
  }
}

void BlockLists::tile(std::span<const std::int32_t> rows) {
  fill_slab();
  tile_begins_.push_back(static_cast<std::int64_t>(keys_.size()) / K_);
  queries_.insert(queries_.end(), rows.begin(), rows.end());
  queries_.resize(tile_begins_.size() * static_cast<std::size_t>(t_), -1);
}

void BlockLists::keys(std::int64_t begin, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) keys_.push_back(static_cast<std::int32_t>(begin + i));
  visible_.resize(keys_.size(), {0, static_cast<std::int16_t>(t_), -1});
}

void BlockLists::key(std::int64_t row, std::int64_t first, std::int64_t last, std::int64_t hidden) {
  keys_.push_back(static_cast<std::int32_t>(row));
  visible_.push_back({static_cast<std::int16_t>(std::clamp<std::int64_t>(first, 0, t_)),
                      static_cast<std::int16_t>(std::clamp<std::int64_t>(last, 0, t_)),
                      static_cast<std::int16_t>(hidden)});
}

void BlockLists::fill_slab() {
  const auto K = static_cast<std::size_t>(K_);
  const std::size_t size = (keys_.size() + K - 1) / K * K;
  keys_.resize(size, -1);
  visible_.resize(size, {0, 0, -1});
}

std::span<const std::int32_t> BlockLists::queries(std::int64_t head, std::int64_t tile) const {
  return part(queries_, (heads_ == 1 ? 0 : head * tiles()) + tile, t_);
}

std::span<const std::int32_t> BlockLists::key_rows(std::int64_t head, std::int64_t slab) const {
  return part(keys_, (heads_ == 1 ? 0 : head * slab_begin(tiles())) + slab, K_);
}

std::span<const BlockLists::Visible> BlockLists::visible(std::int64_t head,
                                                         std::int64_t slab) const {
  return part(visible_, (heads_ == 1 ? 0 : head * slab_begin(tiles())) + slab, K_);
}

void BlockLists::finish(std::int64_t query_rows, std::int64_t key_rows) {
  fill_slab();
  tile_begins_.push_back(static_cast<std::int64_t>(keys_.size()) / K_);
  const std::int64_t T = tiles();
  bool fits = static_cast<std::int64_t>(tile_begins_.size()) == T * heads_ + 1;
  for (std::int64_t i = 0; fits && i < T * heads_; ++i) {
    fits = slab_begin(i + 1) - slab_begin(i) == slab_count(i % T);
  }
  if (!fits) fail(ErrorKind::shape, "block_lists: tiles or slabs differ between {} heads", heads_);
  const auto check = [](const std::vector<std::int32_t>& rows, std::int64_t limit) {
    for (const std::int32_t row : rows) {
      if (row >= limit) fail(ErrorKind::shape, "block_lists: row {} of {}", row, limit);
    }
  };
  check(queries_, query_rows);
  check(keys_, key_rows);
}

}  // namespace lra::engine

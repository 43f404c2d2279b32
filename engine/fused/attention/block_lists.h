#pragma once
// Pattern of block_attention: the keys attended by each block of queries.

#include <cstdint>
#include <span>
#include <vector>

namespace lra::engine {

// Tiles of up to t query rows, each with a list of key rows. A key may be repeated in a list and
// then counts as often; it may be visible to only a part of the tile. A tile's list is stored in
// slabs of K keys, the last one padded with empty entries, so that all products have one shape. The
// lists apply to all heads, unless next_head() starts those of each further head; the numbers of
// tiles and slabs must then agree between heads.
class BlockLists {
 public:
  BlockLists(std::int64_t query_block, std::int64_t key_block);

  void next_head();
  // Starts a tile with `count` <= t query rows from `begin`, or with the given ones; -1: none. A
  // row belongs to one tile of its head.
  void tile(std::int64_t begin, std::int64_t count);
  void tile(std::span<const std::int32_t> rows);
  // Adds keys begin..begin+count-1, visible to the whole tile.
  void keys(std::int64_t begin, std::int64_t count);
  // Adds a key that the tile's queries at positions [first, last) see, except the one at `hidden`.
  void key(std::int64_t row, std::int64_t first, std::int64_t last, std::int64_t hidden = -1);

  [[nodiscard]] std::int64_t heads() const { return heads_; }
  [[nodiscard]] std::int64_t query_block() const { return t_; }
  [[nodiscard]] std::int64_t key_block() const { return K_; }
  [[nodiscard]] std::int64_t tiles() const {
    return static_cast<std::int64_t>(queries_.size()) / (t_ * heads_);
  }
  // Slabs of a tile: [slab_begin(tile), slab_begin(tile + 1)).
  [[nodiscard]] std::int64_t slab_begin(std::int64_t tile) const {
    return tile_begins_[static_cast<std::size_t>(tile)];
  }
  [[nodiscard]] std::int64_t slab_count(std::int64_t tile) const {
    return slab_begin(tile + 1) - slab_begin(tile);
  }

  // Positions [first, last) of the tile see a key; `hidden` does not.
  struct Visible {
    std::int16_t first, last, hidden;
  };
  // The t rows of a tile; the K rows of a slab and their visibility; -1 for empty entries. All
  // heads use the first head's lists if only those were given.
  [[nodiscard]] std::span<const std::int32_t> queries(std::int64_t head, std::int64_t tile) const;
  [[nodiscard]] std::span<const std::int32_t> key_rows(std::int64_t head, std::int64_t slab) const;
  [[nodiscard]] std::span<const Visible> visible(std::int64_t head, std::int64_t slab) const;

  // Pads the last slab and checks that heads agree and rows are below the given numbers.
  // Throws Error(shape). No tile is added afterwards.
  void finish(std::int64_t query_rows, std::int64_t key_rows);

 private:
  void fill_slab();

  std::int64_t t_, K_;
  std::int64_t heads_ = 1;
  std::vector<std::int32_t> queries_;      // [heads, tiles, t]
  std::vector<std::int32_t> keys_;         // [heads, slabs, K]
  std::vector<Visible> visible_;           // [heads, slabs, K]
  std::vector<std::int64_t> tile_begins_;  // first slab of each tile of all heads, and the end
};

}  // namespace lra::engine

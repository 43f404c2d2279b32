#include "attention/parts/hash_chunks.h"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "engine/ops.h"

namespace lra::attention {

engine::Tensor hash_rows(const engine::Value& x, const engine::Tensor& rot, std::int64_t rows,
                         std::int64_t half) {
  using engine::DType;
  const std::int64_t R = rot.dim(1);
  const std::int64_t columns = rot.dim(2);
  const engine::Value q = cast(slice(stop_gradient(x), 1, 0, rows), DType::f32);
  const engine::Value flat(rot.reshaped({1, rot.dim(0), R * columns}));
  const engine::Tensor p = matmul(q, flat).tensor();  // [H,rows,R columns]
  const engine::Tensor hash({x.dim(0), R, rows}, DType::f32);
  float* to = hash.f32();
  for (std::int64_t h = 0; h < x.dim(0); ++h) {
    for (std::int64_t r = 0; r < R; ++r) {
      for (std::int64_t i = 0; i < rows; ++i) {
        const float* row = p.f32() + ((h * rows + i) * R + r) * columns;
        const auto projection = [row](std::int64_t b) { return double{row[b]}; };
        *to++ = static_cast<float>(hash_bucket(projection, half));
      }
    }
  }
  return hash;
}

HashChunks::HashChunks(std::int64_t size, std::int64_t rounds, std::int64_t buckets,
                       std::int64_t rows,
                       const std::function<std::int64_t(std::int64_t, std::int64_t)>& hash)
    : size_(size), count_(rounds * buckets), buckets_(buckets) {
  const auto length = static_cast<std::size_t>(buckets * size);
  for (std::int64_t r = 0; r < rounds; ++r) {
    std::vector<std::int64_t> bucket(length, 0);
    for (std::int64_t i = 0; i < rows; ++i) bucket[static_cast<std::size_t>(i)] = hash(r, i);
    std::vector<std::int64_t> order(length);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return bucket[static_cast<std::size_t>(a)] < bucket[static_cast<std::size_t>(b)];
    });
    tokens_.insert(tokens_.end(), order.begin(), order.end());
  }
}

namespace {

// The real tokens that the queries of a chunk may see.
std::vector<std::int64_t> keys_of(const HashChunks& all, std::int64_t chunk, std::int64_t n) {
  std::vector<std::int64_t> keys;
  for (const std::int64_t* list : {all.begin(chunk), all.begin(chunk - 1)}) {
    std::copy_if(list, list + all.size(), std::back_inserter(keys),
                 [n](std::int64_t j) { return j < n; });
  }
  return keys;
}

// Which queries see another token than themselves in some round.
std::vector<bool> accompanied(const HashChunks& all, std::int64_t n) {
  std::vector<bool> result(static_cast<std::size_t>(n), false);
  for (std::int64_t chunk = 0; chunk < all.count(); ++chunk) {
    const std::vector<std::int64_t> keys = keys_of(all, chunk, n);
    const bool several =
        std::any_of(keys.begin(), keys.end(), [&](std::int64_t j) { return j != keys.front(); });
    for (std::int64_t at = 0; several && at < all.size(); ++at) {
      const std::int64_t i = all.begin(chunk)[at];
      if (i < n) result[static_cast<std::size_t>(i)] = true;
    }
  }
  return result;
}

}  // namespace

engine::BlockLists chunk_lists(const std::vector<HashChunks>& heads, std::int64_t round,
                               std::int64_t n) {
  const std::int64_t size = heads.front().size();
  const std::int64_t nb = heads.front().buckets();
  engine::BlockLists lists(size, 2 * size);
  for (std::size_t h = 0; h < heads.size(); ++h) {
    if (h > 0) lists.next_head();
    const std::vector<bool> sees_others = accompanied(heads[h], n);
    for (std::int64_t chunk = round * nb; chunk < (round + 1) * nb; ++chunk) {
      std::vector<std::int32_t> queries;
      std::transform(heads[h].begin(chunk), heads[h].begin(chunk) + size,
                     std::back_inserter(queries),
                     [n](std::int64_t i) { return i < n ? static_cast<std::int32_t>(i) : -1; });
      lists.tile(queries);
      const std::vector<std::int64_t> keys = keys_of(heads[h], chunk, n);
      for (const std::int64_t j : keys) {
        const auto self = std::find(queries.begin(), queries.end(), j);
        const bool hide = self != queries.end() && sees_others[static_cast<std::size_t>(j)];
        lists.key(j, 0, size, hide ? self - queries.begin() : -1);
      }
      // Tiles of all heads have one slab; this key is seen by no query.
      if (keys.empty()) lists.key(0, 0, 0);
    }
  }
  return lists;
}

}  // namespace lra::attention

#include "attention/parts/key_lists.h"

#include <algorithm>
#include <cmath>

namespace lra::attention {
namespace {

constexpr std::int64_t kTile = 128;  // most queries and keys of a product where the pattern is free
constexpr std::int64_t kSlab = 512;

}  // namespace

Value attend_rows(const Value& q, const Value& k, const Value& v,
                  const std::vector<std::int32_t>& rows, std::int64_t m, bool causal,
                  const engine::BlockAttentionOptions& options) {
  const auto count = static_cast<std::int64_t>(rows.size());
  engine::BlockLists lists(std::min(count, kTile), kSlab);
  for (std::int64_t begin = 0; begin < count; begin += lists.query_block()) {
    const std::int64_t size = std::min(lists.query_block(), count - begin);
    const std::span<const std::int32_t> tile(rows.data() + begin, static_cast<std::size_t>(size));
    lists.tile(tile);
    if (!causal) {
      lists.keys(0, m);
      continue;
    }
    for (std::int64_t j = 0; j < std::min<std::int64_t>(m, tile.back() + 1); ++j) {
      lists.key(j, std::lower_bound(tile.begin(), tile.end(), j) - tile.begin(), size);
    }
  }
  return engine::block_attention(q, k, v, std::move(lists), options).o;
}

Value merge(const std::vector<engine::BlockAttention>& parts) {
  std::vector<Value> lse;
  for (const auto& part : parts) lse.push_back(part.lse);
  const Value weights = softmax(concat(lse, 2));  // [H,N,R]
  Value o;
  for (std::size_t r = 0; r < parts.size(); ++r) {
    const Value w = slice(weights, 2, static_cast<std::int64_t>(r), 1);  // [H,N,1]
    o = r == 0 ? parts[r].o * w : o + parts[r].o * w;
  }
  return o;
}

engine::BlockAttentionOptions scaled_by_width(const Value& q, const Context& c) {
  engine::BlockAttentionOptions options;
  options.scale = 1.0F / std::sqrt(static_cast<float>(q.dim(2)));
  options.dropout = c.dropout;
  options.key = c.call.of("weights");
  return options;
}

}  // namespace lra::attention

#include "tasks/baselines/ngrams.h"

#include <algorithm>
#include <limits>

namespace lra::tasks::baselines {
namespace {

constexpr unsigned kIdBits = 12;

// Ids of one n-gram side by side, and a mark above them that distinguishes lengths.
std::uint32_t hashed(std::uint64_t ids, std::size_t length, unsigned bits) {
  const std::uint64_t key = ids + (std::uint64_t{length} << 60U);
  // Two rounds: the product's top bits alone depend on the low ids too little.
  std::uint64_t x = key * 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 32U)) * 0xD6E8FEB86659FD93U;
  return static_cast<std::uint32_t>(x >> (64U - bits));
}

}  // namespace

Ngrams::Ngrams(const NgramOptions& options)
    : options_(options), seen_(std::size_t{1} << options.bits) {}

std::span<const std::uint32_t> Ngrams::present(std::span<const Token> tokens) {
  if (text_ == std::numeric_limits<std::uint8_t>::max()) {
    std::fill(seen_.begin(), seen_.end(), std::uint8_t{0});
    text_ = 0;
  }
  ++text_;
  features_.clear();
  std::uint64_t ids = 0;  // the last five
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    ids = (ids << kIdBits | tokens[i]) & ((std::uint64_t{1} << 5 * kIdBits) - 1);
    for (std::size_t n = options_.shortest; n <= std::min(options_.longest, i + 1); ++n) {
      const std::uint64_t last = ids & ((std::uint64_t{1} << n * kIdBits) - 1);
      const std::uint32_t feature = hashed(last, n, options_.bits);
      if (seen_[feature] == text_) continue;
      seen_[feature] = text_;
      features_.push_back(feature);
    }
  }
  return features_;
}

std::uint32_t ngram_feature(std::span<const Token> ngram, unsigned bits) {
  std::uint64_t ids = 0;
  for (const Token token : ngram) ids = ids << kIdBits | token;
  return hashed(ids, ngram.size(), bits);
}

}  // namespace lra::tasks::baselines

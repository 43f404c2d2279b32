#pragma once
// The cache: one memory-mapped file per split, written once and read without copies. Not installed.
//
// Layout (little endian): a header of 64 bytes (magic, version, key), the documents' tokens
// (uint16; with token labels: padded to 4 bytes and followed by int32 labels), 64-byte aligned
// tables (start of each document in bytes, its length, label of each example, for pairs the two
// document numbers), and a footer of fixed size with the tables' positions, the content's SHA-256
// and a fast hash over the whole file, which is checked whenever the file is mapped. Equal
// documents of a pair task are stored once.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/base/file.h"
#include "tasks/io/hash.h"
#include "tasks/task.h"

namespace lra::tasks {

// Bumped whenever the layout changes; a part of every cache's key.
inline constexpr std::uint32_t kCacheVersion = 2;

// Further parts of an example besides tokens and label.
enum class ExampleForm { plain, pair, token_labels };
[[nodiscard]] ExampleForm example_form(Head head);

// Converts examples into the bytes of a cache file. The digest depends only on the examples.
class CacheEncoder {
 public:
  using Output = std::function<void(std::span<const std::byte>)>;
  // `key` is any text of at most 48 characters; the output may be empty (only the digest counts).
  CacheEncoder(ExampleForm form, const std::string& key, Output output);
  void add(const Example& example);
  // Writes tables and footer and returns the content's SHA-256. Must be called exactly once.
  std::string finish();
  [[nodiscard]] std::size_t size() const { return labels_.size(); }

 private:
  std::uint32_t document(std::span<const Token> tokens, std::span<const std::int32_t> labels);
  void put(std::span<const std::byte> bytes);
  void align(std::size_t boundary);
  void flush();
  template <class T>
  std::uint64_t table(const std::vector<T>& values);

  ExampleForm form_;
  Output output_;
  Sha256 digest_;
  Hasher128 hasher_;
  std::vector<std::byte> buffer_;
  std::uint64_t written_ = 0;
  std::vector<std::uint64_t> starts_;
  std::vector<std::uint32_t> lengths_;
  std::vector<std::int32_t> labels_;
  std::vector<std::uint32_t> first_, second_;
  std::unordered_map<Hash128, std::uint32_t> known_;
};

// A mapped cache file, or null if it is missing, of another version or key, or damaged anywhere.
// A file that is truncated while mapped ends the program with a message (MappedFile).
[[nodiscard]] std::shared_ptr<const Dataset> map_cache(const std::filesystem::path& path,
                                                       const std::string& key);
// The digest recorded in the file. Throws Error(io) if it cannot be read.
[[nodiscard]] std::string cache_digest(const std::filesystem::path& path);

// The first `count` examples of a data set.
[[nodiscard]] std::shared_ptr<const Dataset> prefix(std::shared_ptr<const Dataset> whole,
                                                    std::size_t count);
// `count` examples spread over the data set; a sample contains those of smaller counts.
[[nodiscard]] std::shared_ptr<const Dataset> sample(std::shared_ptr<const Dataset> whole,
                                                    std::size_t count);

}  // namespace lra::tasks

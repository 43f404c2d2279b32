#include "tasks/cache.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <limits>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/sample.h"

namespace lra::tasks {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kFlushBytes = std::size_t{1} << 20U;
constexpr std::array<char, 8> kMagic{'L', 'R', 'A', 'C', 'A', 'C', 'H', 'E'};
constexpr std::array<char, 8> kEndMagic{'L', 'R', 'A', 'F', 'O', 'O', 'T', 'R'};

struct Header {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kCacheVersion;
  std::uint32_t byte_order = 0x01020304;
  std::array<char, 48> key{};
};
static_assert(sizeof(Header) == 64);

struct Footer {
  std::array<char, 8> magic = kEndMagic;
  std::uint64_t file_bytes = 0;
  std::uint64_t examples = 0;
  std::uint64_t documents = 0;
  std::uint64_t starts_at = 0, lengths_at = 0, labels_at = 0, first_at = 0, second_at = 0;
  std::uint64_t form = 0;
  std::array<char, 64> sha256{};
  Hash128 hash;  // of header, content and this footer with a hash of 0
};
static_assert(sizeof(Footer) == 160);

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

constexpr std::uint64_t padded(std::uint64_t bytes, std::uint64_t boundary) {
  return (bytes + boundary - 1) / boundary * boundary;
}

class MappedDataset final : public Dataset {
 public:
  explicit MappedDataset(const std::filesystem::path& path) : path_(path), file_(path) {}

  // Empty on success, or why the file is not a cache for this key.
  std::string attach(const std::string& key) {
    const auto bytes = file_.bytes();
    if (bytes.size() < sizeof(Header) + sizeof(Footer)) return "too short";
    Header header;
    std::memcpy(&header, bytes.data(), sizeof header);
    std::array<char, 48> wanted{};
    std::copy_n(key.begin(), std::min(key.size(), wanted.size()), wanted.begin());
    if (header.magic != kMagic || header.version != kCacheVersion ||
        header.byte_order != Header{}.byte_order || header.key != wanted) {
      return "another header";
    }
    std::memcpy(&footer_, bytes.data() + bytes.size() - sizeof footer_, sizeof footer_);
    if (footer_.magic != kEndMagic || footer_.file_bytes != bytes.size() || footer_.form > 2) {
      return "no footer";
    }
    form_ = static_cast<ExampleForm>(footer_.form);
    const bool pairs = form_ == ExampleForm::pair;
    const bool placed = table(footer_.starts_at, footer_.documents, starts_) &&
                        table(footer_.lengths_at, footer_.documents, lengths_) &&
                        table(footer_.labels_at, footer_.examples, labels_) &&
                        table(footer_.first_at, pairs ? footer_.examples : 0, first_) &&
                        table(footer_.second_at, pairs ? footer_.examples : 0, second_);
    if (!placed || (!pairs && footer_.documents != footer_.examples)) return "bad tables";
    if (!documents_inside()) return "bad documents";
    return hash_holds() ? "" : "damaged";
  }

  [[nodiscard]] std::size_t size() const override { return labels_.size(); }

  [[nodiscard]] Example operator[](std::size_t index) const override {
    Example example;
    example.label = labels_[index];
    if (form_ == ExampleForm::pair) {
      example.tokens = tokens(first_[index]);
      example.second = tokens(second_[index]);
      return example;
    }
    example.tokens = tokens(index);
    if (form_ == ExampleForm::token_labels) {
      const std::uint64_t at = starts_[index] + padded(example.tokens.size_bytes(), 4);
      example.token_labels = {at_offset<std::int32_t>(at), example.tokens.size()};
    }
    return example;
  }

 private:
  template <class T>
  [[nodiscard]] const T* at_offset(std::uint64_t offset) const {
    // The map is page aligned and the writer aligns every array to its element's size.
    return reinterpret_cast<const T*>(file_.bytes().data() + offset);
  }
  [[nodiscard]] std::span<const Token> tokens(std::size_t document) const {
    return {at_offset<Token>(starts_[document]), lengths_[document]};
  }
  template <class T>
  bool table(std::uint64_t offset, std::uint64_t count, std::span<const T>& result) {
    const std::uint64_t end = footer_.file_bytes - sizeof(Footer);
    if (offset % kAlignment != 0 || offset > end || count > (end - offset) / sizeof(T))
      return false;
    result = {at_offset<T>(offset), count};
    return true;
  }
  // Reads the file instead of mapping it, because mapped pages would count as the program's memory.
  [[nodiscard]] bool hash_holds() const {
    std::ifstream file(path_, std::ios::binary);
    std::vector<std::byte> block(kFlushBytes);
    Hasher128 hasher;
    for (std::uint64_t rest = footer_.file_bytes - sizeof(Footer); rest > 0;) {
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(rest, block.size()));
      if (!file.read(reinterpret_cast<char*>(block.data()), static_cast<std::streamsize>(part))) {
        return false;
      }
      hasher.update(std::span(block).first(part));
      rest -= part;
    }
    Footer footer = footer_;
    footer.hash = {};
    hasher.update(std::as_bytes(std::span(&footer, 1)));
    return hasher.finish() == footer_.hash;
  }
  [[nodiscard]] bool documents_inside() const {
    const std::uint64_t end = footer_.starts_at;
    const std::uint64_t width = form_ == ExampleForm::token_labels ? 4 : 2;
    for (std::size_t i = 0; i < starts_.size(); ++i) {
      const std::uint64_t bytes =
          padded(std::uint64_t{lengths_[i]} * sizeof(Token), width) +
          (form_ == ExampleForm::token_labels ? std::uint64_t{lengths_[i]} * 4 : 0);
      if (starts_[i] % width != 0 || starts_[i] > end || bytes > end - starts_[i]) return false;
    }
    const auto known = [this](std::uint32_t document) { return document < starts_.size(); };
    return std::all_of(first_.begin(), first_.end(), known) &&
           std::all_of(second_.begin(), second_.end(), known);
  }

  std::filesystem::path path_;
  MappedFile file_;
  Footer footer_;
  ExampleForm form_ = ExampleForm::plain;
  std::span<const std::uint64_t> starts_;
  std::span<const std::uint32_t> lengths_;
  std::span<const std::int32_t> labels_;
  std::span<const std::uint32_t> first_, second_;
};

class Prefix final : public Dataset {
 public:
  Prefix(std::shared_ptr<const Dataset> whole, std::size_t count)
      : whole_(std::move(whole)), count_(std::min(count, whole_->size())) {}
  [[nodiscard]] std::size_t size() const override { return count_; }
  [[nodiscard]] Example operator[](std::size_t index) const override { return (*whole_)[index]; }

 private:
  std::shared_ptr<const Dataset> whole_;
  std::size_t count_;
};

// A subset of the examples, in order.
class Sample final : public Dataset {
 public:
  Sample(std::shared_ptr<const Dataset> whole, std::size_t count)
      : whole_(std::move(whole)),
        indices_(sample_indices(whole_->size(), count, RandomKey(0).of("sample"))) {}
  [[nodiscard]] std::size_t size() const override { return indices_.size(); }
  [[nodiscard]] Example operator[](std::size_t index) const override {
    return (*whole_)[indices_[index]];
  }

 private:
  std::shared_ptr<const Dataset> whole_;
  std::vector<std::size_t> indices_;
};

}  // namespace

ExampleForm example_form(Head head) {
  switch (head) {
    case Head::pair_class:
      return ExampleForm::pair;
    case Head::token:
      return ExampleForm::token_labels;
    case Head::pooled_class:
      break;
  }
  return ExampleForm::plain;
}

CacheEncoder::CacheEncoder(ExampleForm form, const std::string& key, Output output)
    : form_(form), output_(std::move(output)) {
  Header header;
  if (key.size() > header.key.size()) {
    fail(ErrorKind::config, "cache: key too long; got {} characters, expected at most {}",
         key.size(), header.key.size());
  }
  std::copy(key.begin(), key.end(), header.key.begin());
  hasher_.update(std::as_bytes(std::span(&header, 1)));
  if (output_) output_(std::as_bytes(std::span(&header, 1)));
  written_ = sizeof header;
  buffer_.reserve(kFlushBytes + kAlignment);
}

void CacheEncoder::flush() {
  digest_.update(buffer_);
  hasher_.update(buffer_);
  if (output_) output_(buffer_);
  buffer_.clear();
}

void CacheEncoder::put(std::span<const std::byte> bytes) {
  written_ += bytes.size();
  while (!bytes.empty()) {
    const std::size_t part = std::min(bytes.size(), kFlushBytes);
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part));
    bytes = bytes.subspan(part);
    if (buffer_.size() >= kFlushBytes) flush();
  }
}

void CacheEncoder::align(std::size_t boundary) {
  static constexpr std::array<std::byte, kAlignment> kZeros{};
  put(std::span(kZeros).first(padded(written_, boundary) - written_));
}

std::uint32_t CacheEncoder::document(std::span<const Token> tokens,
                                     std::span<const std::int32_t> labels) {
  const auto number = static_cast<std::uint32_t>(starts_.size());
  if (form_ == ExampleForm::pair) {
    const auto [entry, fresh] = known_.try_emplace(hash128(std::as_bytes(tokens)), number);
    if (!fresh) return entry->second;
  }
  if (starts_.size() >= std::numeric_limits<std::uint32_t>::max() ||
      tokens.size() > std::numeric_limits<std::uint32_t>::max()) {
    fail(ErrorKind::data, "cache: too many documents or tokens; got {} and {}", starts_.size(),
         tokens.size());
  }
  starts_.push_back(written_);
  lengths_.push_back(static_cast<std::uint32_t>(tokens.size()));
  put(std::as_bytes(tokens));
  if (form_ == ExampleForm::token_labels) {
    if (labels.size() != tokens.size()) {
      fail(ErrorKind::shape, "cache: token labels; got {}, expected {}", labels.size(),
           tokens.size());
    }
    align(sizeof(std::int32_t));
    put(std::as_bytes(labels));
  }
  return number;
}

void CacheEncoder::add(const Example& example) {
  const std::uint32_t first = document(example.tokens, example.token_labels);
  if (form_ == ExampleForm::pair) {
    first_.push_back(first);
    second_.push_back(document(example.second, {}));
  }
  labels_.push_back(example.label);
}

template <class T>
std::uint64_t CacheEncoder::table(const std::vector<T>& values) {
  align(kAlignment);
  const std::uint64_t at = written_;
  put(bytes_of(values));
  return at;
}

std::string CacheEncoder::finish() {
  Footer footer;
  footer.examples = labels_.size();
  footer.documents = starts_.size();
  footer.form = static_cast<std::uint64_t>(form_);
  footer.starts_at = table(starts_);
  footer.lengths_at = table(lengths_);
  footer.labels_at = table(labels_);
  footer.first_at = table(first_);
  footer.second_at = table(second_);
  align(kAlignment);
  flush();
  footer.file_bytes = written_ + sizeof footer;
  const std::string digest = digest_.hex();
  std::copy(digest.begin(), digest.end(), footer.sha256.begin());
  hasher_.update(std::as_bytes(std::span(&footer, 1)));
  footer.hash = hasher_.finish();
  if (output_) output_(std::as_bytes(std::span(&footer, 1)));
  return digest;
}

std::shared_ptr<const Dataset> map_cache(const std::filesystem::path& path,
                                         const std::string& key) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(path, code)) return nullptr;
  auto dataset = std::make_shared<MappedDataset>(path);
  if (!dataset->attach(key).empty()) return nullptr;
  return dataset;
}

std::string cache_digest(const std::filesystem::path& path) {
  const MappedFile file(path);
  Footer footer;
  if (file.bytes().size() < sizeof footer) {
    fail(ErrorKind::io, "{}: not a cache; got {} bytes", path.string(), file.bytes().size());
  }
  std::memcpy(&footer, file.bytes().data() + file.bytes().size() - sizeof footer, sizeof footer);
  return {footer.sha256.data(), footer.sha256.size()};
}

std::shared_ptr<const Dataset> prefix(std::shared_ptr<const Dataset> whole, std::size_t count) {
  return std::make_shared<Prefix>(std::move(whole), count);
}

std::shared_ptr<const Dataset> sample(std::shared_ptr<const Dataset> whole, std::size_t count) {
  return std::make_shared<Sample>(std::move(whole), count);
}

}  // namespace lra::tasks

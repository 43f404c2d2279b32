#include "harness/run/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/text.h"

namespace lra::harness {

using engine::Shape;
using engine::Tensor;
using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

namespace {

constexpr const char* kMetadata = "__metadata__";
constexpr const char* kDigest = "sha256";
constexpr std::size_t kLargestHeader = 100'000'000;  // as in the format's own library

using Range = std::pair<std::size_t, std::size_t>;  // of bytes, [begin, end)

// A non-negative integer of the header.
std::size_t size_at(const json& value, const std::string& where, const char* what) {
  if (!value.is_number_unsigned() || !std::in_range<std::int64_t>(value.get<std::uint64_t>())) {
    fail(ErrorKind::data, "{}: {}; got {}, expected a non-negative integer", where, what,
         shortened(json_text(value)));
  }
  return value.get<std::size_t>();
}

const json& member(const json& entry, const char* name, const std::string& where) {
  const auto found = entry.find(name);
  if (found == entry.end()) fail(ErrorKind::data, "{}: no {}", where, name);
  return *found;
}

// The shape and its number of bytes as f32.
std::pair<Shape, std::size_t> shape_of(const json& value, const std::string& where) {
  if (!value.is_array() || value.size() > std::size_t{Shape::kMaxRank}) {
    fail(ErrorKind::data, "{}: shape; got {}, expected at most {} sizes", where,
         shortened(json_text(value)), Shape::kMaxRank);
  }
  std::vector<std::int64_t> dims;
  std::size_t bytes = sizeof(float);
  for (const json& size : value) {
    const std::size_t dim = size_at(size, where, "shape");
    if (dim != 0 && bytes > std::numeric_limits<std::int64_t>::max() / dim) {
      fail(ErrorKind::data, "{}: shape; got {}, which overflows", where, json_text(value));
    }
    bytes *= dim;
    dims.push_back(static_cast<std::int64_t>(dim));
  }
  return {Shape(std::span<const std::int64_t>(dims)), bytes};
}

Tensor read_tensor(const json& entry, std::string_view data, const std::string& where,
                   std::vector<Range>& ranges) {
  if (!entry.is_object()) fail(ErrorKind::data, "{}: not an object", where);
  if (const json& type = member(entry, "dtype", where); type != "F32") {
    fail(ErrorKind::data, "{}: type {}, expected F32", where, shortened(json_text(type)));
  }
  const auto [shape, bytes] = shape_of(member(entry, "shape", where), where);
  const json& offsets = member(entry, "data_offsets", where);
  if (!offsets.is_array() || offsets.size() != 2) {
    fail(ErrorKind::data, "{}: data_offsets; got {}, expected [begin, end]", where,
         shortened(json_text(offsets)));
  }
  const std::size_t begin = size_at(offsets[0], where, "data_offsets");
  const std::size_t end = size_at(offsets[1], where, "data_offsets");
  if (begin > end || end > data.size() || end - begin != bytes) {
    fail(ErrorKind::data,
         "{}: data_offsets; got [{}, {}], expected the {} bytes of shape {} within the file's {}",
         where, begin, end, bytes, shape.text(), data.size());
  }
  ranges.emplace_back(begin, end);
  Tensor tensor(shape, engine::DType::f32);
  if (bytes > 0) std::memcpy(tensor.raw(), data.data() + begin, bytes);
  return tensor;
}

// The tensors must cover the data, each byte once: a name that occurs twice shows as a gap.
void require_cover(std::vector<Range> ranges, std::size_t bytes, const std::string& where) {
  std::sort(ranges.begin(), ranges.end());
  std::size_t at = 0;
  bool joined = true;
  for (const auto& [begin, end] : ranges) {
    joined = joined && begin == at;
    if (joined) at = end;
  }
  if (at != bytes || !joined) {
    fail(ErrorKind::data, "{}: tensors overlap or leave a gap after byte {} of {}", where, at,
         bytes);
  }
}

// Digest over the header without the digest, and the data.
std::string digest_of(const json& header, const std::vector<std::span<const std::byte>>& data) {
  Sha256 digest;
  digest.update(json_text(header)).update("\n");
  for (const auto bytes : data) digest.update(bytes);
  return digest.hex();
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  json header = json::object();
  if (!file.metadata.empty()) header[kMetadata] = file.metadata;
  std::size_t offset = 0;
  std::vector<std::span<const std::byte>> data;
  for (const auto& [name, tensor] : file.tensors) {
    const auto dims = tensor.shape().dims();
    header[name] = {{"dtype", "F32"},
                    {"shape", std::vector<std::int64_t>(dims.begin(), dims.end())},
                    {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
    data.emplace_back(tensor.raw(), tensor.bytes());
  }
  const std::string digest = digest_of(header, data);
  header[kMetadata][kDigest] = digest;
  std::string text = json_text(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data are aligned
  const std::uint64_t size = text.size();
  AtomicFile out(path);
  out.write(std::as_bytes(std::span(&size, 1)));
  out.write(text);
  for (const auto bytes : data) out.write(bytes);
  out.commit();
}

TensorFile parse_safetensors(std::string_view content, const std::string& where) {
  std::uint64_t size = 0;
  if (content.size() >= sizeof(size)) std::memcpy(&size, content.data(), sizeof(size));
  if (content.size() < sizeof(size) || size > content.size() - sizeof(size) ||
      size > kLargestHeader) {
    fail(ErrorKind::data, "{}: not a safetensors file, or truncated; got {} bytes, a header of {}",
         where, content.size(), size);
  }
  json header = parse_json(content.substr(sizeof(size), size), where + ": header");
  if (!header.is_object()) fail(ErrorKind::data, "{}: header; expected an object", where);
  const std::string_view data = content.substr(sizeof(size) + size);
  TensorFile file;
  std::string stated;
  if (const auto metadata = header.find(kMetadata); metadata != header.end()) {
    for (const auto& [key, value] : metadata->items()) {
      if (!metadata->is_object() || !value.is_string()) {
        fail(ErrorKind::data, "{}: {}; got {}, expected an object of texts", where, kMetadata,
             shortened(json_text(*metadata)));
      }
      (key == kDigest ? stated : file.metadata[key]) = value.get<std::string>();
    }
  }
  std::vector<Range> ranges;
  for (const auto& [name, entry] : header.items()) {
    if (name == kMetadata) continue;
    file.tensors.emplace_back(name,
                              read_tensor(entry, data, where + ": " + shortened(name), ranges));
  }
  require_cover(std::move(ranges), data.size(), where);
  if (stated.empty()) return file;
  header[kMetadata].erase(kDigest);
  if (header[kMetadata].empty()) header.erase(kMetadata);
  if (const std::string found = digest_of(header, {std::as_bytes(std::span(data))});
      found != stated) {
    fail(ErrorKind::data, "{}: damaged: the content's SHA-256 is {}, expected {}", where, found,
         shortened(stated));
  }
  return file;
}

// Reads the file instead of mapping it, so that a concurrent truncation becomes an error message.
TensorFile read_safetensors(const std::filesystem::path& path) {
  return parse_safetensors(read_file(path), path.string());
}

}  // namespace lra::harness

#include "harness/run/safetensors.h"

#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <span>

#include "engine/base/error.h"
#include "engine/base/file.h"

namespace lra::harness {

using engine::Shape;
using engine::Tensor;
using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

void write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  json header = json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::size_t offset = 0;
  for (const auto& [name, tensor] : file.tensors) {
    const auto dims = tensor.shape().dims();
    header[name] = {{"dtype", "F32"},
                    {"shape", std::vector<std::int64_t>(dims.begin(), dims.end())},
                    {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data are aligned
  const std::uint64_t size = text.size();
  AtomicFile out(path);
  out.write(std::as_bytes(std::span(&size, 1)));
  out.write(text);
  for (const auto& [name, tensor] : file.tensors) out.write({tensor.raw(), tensor.bytes()});
  out.commit();
}

namespace {

Tensor read_tensor(const json& entry, std::span<const std::byte> data, const std::string& where) {
  if (entry.at("dtype") != "F32") {
    fail(ErrorKind::data, "{}: type {}, expected F32", where, entry.at("dtype").dump());
  }
  const auto dims = entry.at("shape").get<std::vector<std::int64_t>>();
  const auto range = entry.at("data_offsets").get<std::vector<std::size_t>>();
  const Shape shape{std::span<const std::int64_t>(dims)};
  const auto bytes = static_cast<std::size_t>(shape.numel()) * sizeof(float);
  if (range.size() != 2 || range[0] + bytes != range[1] || range[1] > data.size()) {
    fail(ErrorKind::data, "{}: offsets do not fit shape {} and the file's {} bytes", where,
         shape.text(), data.size());
  }
  Tensor tensor(shape, engine::DType::f32);
  std::memcpy(tensor.raw(), data.data() + range[0], bytes);
  return tensor;
}

}  // namespace

TensorFile read_safetensors(const std::filesystem::path& path) {
  const MappedFile map(path);
  const auto bytes = map.bytes();
  std::uint64_t size = 0;
  if (bytes.size() >= sizeof(size)) std::memcpy(&size, bytes.data(), sizeof(size));
  if (bytes.size() < sizeof(size) || size > bytes.size() - sizeof(size)) {
    fail(ErrorKind::data, "{}: not a safetensors file, or cut", path.string());
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof(size), size);
  const json header = parse_json(text, path.string());
  TensorFile file;
  try {
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        entry.get_to(file.metadata);
      } else {
        file.tensors.emplace_back(name, read_tensor(entry, bytes.subspan(sizeof(size) + size),
                                                    path.string() + ": " + name));
      }
    }
  } catch (const json::exception& error) {
    fail(ErrorKind::data, "{}: malformed header: {}", path.string(), error.what());
  }
  return file;
}

}  // namespace lra::harness

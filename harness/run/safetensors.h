#pragma once
// The safetensors format (huggingface.co/docs/safetensors): an 8-byte little-endian header length,
// a JSON header {name: {dtype, shape, data_offsets}, "__metadata__": {text: text}}, the bytes.
// The metadata's entry "sha256" is a digest over the rest of the file: a changed bit is found.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/tensor/tensor.h"

namespace lra::harness {

struct TensorFile {
  std::map<std::string, std::string> metadata;
  std::vector<std::pair<std::string, engine::Tensor>> tensors;  // f32
};

// Writes atomically: the old file or the new one is there at any moment. Adds the digest to the
// metadata. Throws Error(io).
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);
// Throws Error(data), with the file and the place in it, for a file that is truncated, inconsistent
// (sizes that are negative or overflow, offsets outside the data, tensors that overlap or leave a
// gap), has another digest than it states (a file without one, of another writer or an earlier
// version, is read as it is) or holds other types than F32. The digest is not among the metadata.
[[nodiscard]] TensorFile read_safetensors(const std::filesystem::path& path);
// The same from a file's content; `where` starts the message of an error.
[[nodiscard]] TensorFile parse_safetensors(std::string_view content, const std::string& where);

}  // namespace lra::harness

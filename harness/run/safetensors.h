#pragma once
// The safetensors format (huggingface.co/docs/safetensors): an 8-byte little-endian header length,
// a JSON header {name: {dtype, shape, data_offsets}, "__metadata__": {text: text}}, the bytes.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/tensor/tensor.h"

namespace lra::harness {

struct TensorFile {
  std::map<std::string, std::string> metadata;
  std::vector<std::pair<std::string, engine::Tensor>> tensors;  // f32
};

// Writes atomically: the old file or the new one is there at any moment. Throws Error(io).
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);
// Throws Error(data) for a file that is cut, inconsistent or holds other types than F32.
[[nodiscard]] TensorFile read_safetensors(const std::filesystem::path& path);

}  // namespace lra::harness

#pragma once
// The safetensors format (huggingface.co/docs/safetensors): an 8-byte little-endian header length,
// a JSON header {name: {dtype, shape, data_offsets}, "__metadata__": {text: text}}, the bytes. The
// metadata's entry "sha256" is a digest over the rest of the file, which detects changed bits.

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

// Writes atomically: at any time either the old or the new file exists. Adds the digest to the
// metadata. Throws Error(io).
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);
// Throws Error(data), with the file and the position in it, for a file that is truncated,
// inconsistent (negative or overflowing sizes, offsets outside the data, overlapping tensors or
// gaps), does not match its digest or has types other than F32. A file without a digest, from
// another writer or an earlier version, is read without this check. The digest is not among the
// metadata.
[[nodiscard]] TensorFile read_safetensors(const std::filesystem::path& path);
// The same from a file's content; `where` starts the message of an error.
[[nodiscard]] TensorFile parse_safetensors(std::string_view content, const std::string& where);

}  // namespace lra::harness

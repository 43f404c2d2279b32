#pragma once
// Data files compiled into the program by the CMake function lra_embed. Not installed.

#include <span>
#include <string_view>

namespace lra {

struct EmbeddedFile {
  std::string_view name;     // file name without its folder, or the alias given to lra_embed
  std::string_view content;  // the bytes as they were at build time
};

// The file with this name; nullptr if there is none.
[[nodiscard]] inline const EmbeddedFile* find_embedded(std::span<const EmbeddedFile> files,
                                                       std::string_view name) {
  for (const auto& file : files) {
    if (file.name == name) return &file;
  }
  return nullptr;
}

}  // namespace lra

#pragma once
// For tests: small data in the official layout, and what is read of it.

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tasks/pathfinder/grey_png.h"
#include "tasks/task.h"
#include "tasks/test_support.h"

namespace lra::tasks::pathfinder {

// The bytes of a .npy file of a two-dimensional array of strings of type "<U<n>" or "|S<n>".
inline std::string numpy_strings(const std::vector<std::vector<std::string>>& table,
                                 const std::string& type, int version) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" +
                       std::to_string(table.size()) + ", " + std::to_string(table.at(0).size()) +
                       "), }";
  const std::size_t prefix = version == 1 ? 10 : 12;
  while ((prefix + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string file = "\x93NUMPY";
  file += static_cast<char>(version);
  file += '\0';
  for (std::size_t i = 0; i < prefix - 8; ++i) {
    file += static_cast<char>((header.size() >> (8 * i)) & 0xFFU);
  }
  file += header;
  const std::size_t characters = std::stoul(type.substr(2));
  const std::size_t width = type[1] == 'U' ? 4 : 1;
  for (const auto& row : table) {
    for (const auto& text : row) {
      for (std::size_t i = 0; i < characters; ++i) {
        file += i < text.size() ? text[i] : '\0';
        file.append(width - 1, '\0');
      }
    }
  }
  return file;
}

// A picture whose first pixels spell its number, as a PNG.
inline std::string numbered_png(int number, int size = 32) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size) * static_cast<std::size_t>(size));
  pixels[0] = 255;
  pixels[1] = static_cast<std::uint8_t>(number);
  pixels[2] = static_cast<std::uint8_t>(number >> 8);
  return encode_grey_png(pixels, size, size);
}

// Names and contents of the files of a data set of `batches` batches of `each` pictures; picture n
// of all has label n % 2. `root` is e.g. "pathfinder32/curv_baseline".
inline std::vector<std::pair<std::string, std::string>> layout_files(const std::string& root,
                                                                     int batches, int each,
                                                                     int size = 32) {
  std::vector<std::pair<std::string, std::string>> files;
  for (int batch = 0; batch < batches; ++batch) {
    std::string metadata;
    for (int i = 0; i < each; ++i) {
      const int number = batch * each + i;
      const std::string picture = fmt::format("imgs/{}/sample_{}.png", 2 * batch, i);
      files.emplace_back(fmt::format("{}/{}", root, picture), numbered_png(number, size));
      metadata += fmt::format("imgs/{} sample_{}.png {} {} 1.0 14 4 2 0.5 1 1\n", 2 * batch, i, i,
                              number % 2);
    }
    files.emplace_back(fmt::format("{}/metadata/{}.npy", root, 2 * batch), metadata);
  }
  return files;
}

inline const std::string kRoot = "pathfinder32/curv_contour_length_14";

// Without the synchronisation of TempFolder::write, which is slow for hundreds of files.
inline std::filesystem::path put(const testing::TempFolder& folder, const std::string& name,
                                 const std::string& content) {
  std::filesystem::path path = folder.path() / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

inline void write_layout(const testing::TempFolder& folder, const std::string& root = kRoot,
                         int batches = 2, int each = 50) {
  for (const auto& [name, content] : layout_files(root, batches, each)) {
    put(folder, name, content);
  }
}

// What a task reads from a place; faults are collected.
inline testing::MemorySink& read_into(testing::MemorySink& sink, const std::filesystem::path& data,
                                      Reading* reading = nullptr,
                                      const nlohmann::json& options = nlohmann::json::object(),
                                      const std::string& name = "pathfinder") {
  const auto task = create_task(name, options);
  OpenOptions open = testing::options_for(data, "");
  const Reading result = task->read(task->find(open), open, sink);
  if (reading != nullptr) *reading = result;
  return sink;
}

inline std::vector<std::string> faults_of(const testing::TempFolder& folder) {
  testing::MemorySink sink;
  return read_into(sink, folder.path()).faults;
}

}  // namespace lra::tasks::pathfinder

#pragma once
// For tests: what is read from data of the user, and the bytes of such data.

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tasks/task.h"
#include "tasks/test_support.h"

namespace lra::tasks::file {

struct Read {
  TaskInfo info;
  testing::MemorySink sink;
  Reading reading;
};

// Settles and reads what is at `path`.
inline void read_into(Read& read, const std::filesystem::path& path,
                      const std::filesystem::path& cache, const nlohmann::json& options) {
  const OpenOptions open = testing::options_for(path, cache);
  const auto task = create_task("file", options, open);
  read.info = task->info();
  read.reading = task->read(task->find(open), open, read.sink);
}

inline std::unique_ptr<Read> read_from(const testing::TempFolder& folder, const std::string& name,
                                       const nlohmann::json& options = nlohmann::json::object()) {
  auto read = std::make_unique<Read>();
  read_into(*read, folder.path() / name, folder.path() / "cache", options);
  return read;
}

inline std::string text_of(const std::vector<Token>& tokens) {
  std::string text;
  for (const Token token : tokens) text += static_cast<char>(token - 1);
  return text;
}

inline std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

inline std::string npy(const std::string& type, const std::string& shape, const std::string& data) {
  std::string header =
      "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }\n";
  std::string file = "\x93NUMPY";
  file += '\x01';
  file += '\0';
  file += static_cast<char>(header.size());
  file += '\0';
  return file + header + data;
}

inline std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((value >> shift) & 0xFF);
  return bytes;
}

// A table of `rows` rows with labels 0..classes-1 in turn.
inline std::string table(int rows, int classes, const std::string& word) {
  std::string text = "label,text\n";
  for (int i = 0; i < rows; ++i) text += fmt::format("{},\"{} {}\"\n", i % classes, word, i);
  return text;
}

}  // namespace lra::tasks::file

#pragma once
// Encodes a record as token ids: 0 is padding; bytes, ids and pixel values are incremented by one;
// with a given vocabulary, 1 means an unknown word and line N of its file is N + 1.

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "tasks/file/settings.h"

namespace lra::tasks::file {

// The file of settings.words: unchanged if absolute, else next to or in `data`; empty if not set.
[[nodiscard]] std::filesystem::path words_file(const Settings& settings,
                                               const std::filesystem::path& data);

class Encoder {
 public:
  // Reads the vocabulary. Throws Error(data) for a duplicate word, Error(config) for incompatible
  // options.
  Encoder(const Settings& settings, const std::filesystem::path& data);

  // Replaces `first` and, for pairs, `second` by all ids of the record. Returns the fault, or an
  // empty text.
  [[nodiscard]] std::string encode(const Record& record, std::vector<std::int64_t>& first,
                                   std::vector<std::int64_t>& second) const;
  // Number of possible ids, padding included, if independent of the data; else 0.
  [[nodiscard]] std::int64_t vocabulary() const;

 private:
  [[nodiscard]] std::string encode_text(const std::string& text,
                                        std::vector<std::int64_t>& ids) const;

  const Settings& settings_;
  std::unordered_map<std::string, std::int64_t> words_;
};

}  // namespace lra::tasks::file

#pragma once
// From a record to token ids: 0 is padding; bytes, ids and pixel values are one more than they are;
// with a given vocabulary 1 stands for unknown words and line N of its file is N + 1.

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "tasks/file/settings.h"

namespace lra::tasks::file {

// The file of settings.words: as it is if absolute, else beside or in `data`; empty without one.
[[nodiscard]] std::filesystem::path words_file(const Settings& settings,
                                               const std::filesystem::path& data);

class Encoder {
 public:
  // Reads the vocabulary. Throws Error(data) for a word that is there twice, Error(config) for
  // options that do not go together.
  Encoder(const Settings& settings, const std::filesystem::path& data);

  // Replaces `first` and, of pairs, `second` by all ids of the record. What is wrong with it, or an
  // empty text.
  [[nodiscard]] std::string encode(const Record& record, std::vector<std::int64_t>& first,
                                   std::vector<std::int64_t>& second) const;
  // Ids that may occur, padding included, where they do not follow from the data; else 0.
  [[nodiscard]] std::int64_t vocabulary() const;

 private:
  [[nodiscard]] std::string encode_text(const std::string& text,
                                        std::vector<std::int64_t>& ids) const;

  const Settings& settings_;
  std::unordered_map<std::string, std::int64_t> words_;
};

}  // namespace lra::tasks::file

#pragma once
// Facts of a data set: classes, vocabulary, longest example, and the examples for validation and
// test if there are no files for them. Found by reading everything once, then stored beside the
// cache.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tasks/file/encoder.h"
#include "tasks/file/formats.h"

namespace lra::tasks::file {

struct Facts {
  std::vector<std::string> labels;  // of train, numbers by size, else by bytes
  std::int64_t longest = 0;         // ids of an example
  std::int64_t vocabulary = 0;      // 1 + the largest id
  std::int64_t examples = 0;
  std::int64_t train_examples = 0;  // before shares are taken from them
  // Thresholds on content_key() for splitting: test below the first (the largest number: all), else
  // validation below the second, else train. Equal examples stay together.
  std::uint64_t test_below = 0, val_below = 0;
  std::vector<Split> drawn;  // the splits assigned by content
  std::string first_fault;   // of a record; empty: none is faulty
};

// Depends only on the example and the seed.
[[nodiscard]] std::uint64_t content_key(const Record& record, std::int64_t seed);
[[nodiscard]] Split split_of(const Part& part, std::uint64_t key, const Facts& facts);

// A text that changes whenever the files of the data set would: names, sizes, times.
[[nodiscard]] std::string state_of(const FoundData& found, const std::filesystem::path& words);

// Reads the data set, or facts stored in `cache` by an earlier call for the same files and options.
// Faulty records are skipped: Task::read reports them. Throws Error(data) for no examples, pixels
// of two sizes, and too few examples for the shares.
[[nodiscard]] Facts facts_of(const FoundData& found, Settings settings, const Encoder& encoder,
                             const std::filesystem::path& data, const std::filesystem::path& cache);

// Throws Error(data) if the labels of train are not classes: none, one, or hardly fewer than
// examples.
void require_classes(const Facts& facts, const std::filesystem::path& data);

}  // namespace lra::tasks::file

#pragma once
// Settings of a user's own data set, and its records before encoding as tokens.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks::file {

enum class Kind { text, tokens, pixels, pair };
constexpr auto texts(Kind) { return enum_texts("text", "tokens", "pixels", "pair"); }
enum class Colour { keep, grey };
constexpr auto texts(Colour) { return enum_texts("keep", "grey"); }

struct Settings {
  Kind kind = Kind::text;
  std::string name;             // of the data set; empty: by its path
  std::string labels;           // of the classes, see parse_labels(); empty: those of train
  std::int64_t max_length = 0;  // 0: that of the longest example
  std::int64_t vocabulary = 0;  // 0: as the data need it
  std::string words;            // file of a vocabulary; empty: bytes
  std::string label_column;     // a name or a number from 1; empty: the usual names
  std::string text_columns;     // names or numbers, separated by commas
  double val_share = 0.1;       // of the examples, if there is no file for validation
  double test_share = 0.1;      // likewise
  std::int64_t split_seed = 0;  // of these shares
  std::int64_t padding = -1;    // id that fills up sequences at their end; -1: none
  double low = 0, high = 255;   // range of numbers that become pixels
  Colour colour = Colour::keep;
  std::int64_t permute = -1;  // seed of a fixed permutation of the positions; -1: none

  void options(OptionTable& table);
  // The options' values as one text.
  [[nodiscard]] std::string values();
};

// "a,b,c", or a JSON array of strings where a label has a comma.
[[nodiscard]] std::vector<std::string> parse_labels(const std::string& text);
[[nodiscard]] std::string labels_text(const std::vector<std::string>& labels);
// The normalised label that identifies a class: without surrounding blanks, 3.0 as 3.
[[nodiscard]] std::string plain_label(std::string_view text);

// One example as in a file.
struct Record {
  std::string label;
  std::string text, second;       // kinds text and pair
  std::vector<std::int64_t> ids;  // kind tokens: unchanged; kind pixels: 0..255
  std::string place;              // "FILE:LINE", for messages
};

// Receives the records of a reader, in order.
struct Handler {
  std::function<void(Record&)> take;
  std::function<void(const std::string&)> fault;  // of one record, which is left out
};

// Integers (kind tokens) or numbers in the range low..high as 0..255 (kind pixels), from text
// separated by blanks or commas, or one by one. Returns the fault, or an empty text.
[[nodiscard]] std::string parse_ids(std::string_view text, const Settings& settings,
                                    std::vector<std::int64_t>& ids);
[[nodiscard]] std::string add_id(double number, const Settings& settings,
                                 std::vector<std::int64_t>& ids);
// Appends the pixels of a picture, [pixels, channels]: three values per pixel are kept, or
// converted to one by ITU-R BT.601 with settings.colour = grey.
void add_pixels(const std::uint8_t* values, std::size_t pixels, std::size_t channels,
                const Settings& settings, std::vector<std::int64_t>& ids);

}  // namespace lra::tasks::file

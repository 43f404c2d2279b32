#include "tasks/file/settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "tasks/io/lines.h"

namespace lra::tasks::file {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostTokens = std::int64_t{1} << 20;
constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

void Settings::options(OptionTable& table) {
  table
      .choice("kind", kind,
              "what an example is: a text, a sequence of ids, of grey or colour values, two texts")
      .text("name", name, "name of the data set in tables and folders; empty: by its path")
      .text("labels", labels, "classes in the order of their numbers, a,b,c; empty: those of train")
      .integer("max_length", max_length, 0, kMostTokens,
               "longer sequences are cut; 0: the longest example, at most 4096 but for pixels")
      .integer("vocabulary", vocabulary, 0, 65536, "ids with padding; 0: as the data need it")
      .text("words", words,
            "file of a vocabulary, a word per line, relative to the data's folder; empty: bytes")
      .text("label_column", label_column,
            "column or member of the label, by name or number; CIFAR-100: fine or coarse; empty: "
            "by the usual names, else the first")
      .text("text_columns", text_columns,
            "columns or members of the example, separated by commas; empty: by the usual names, "
            "else all others")
      .number("val_share", val_share, 0, 0.9, "share of train for validation where it has no file")
      .number("test_share", test_share, 0, 1,
              "share of train for the test where it has no file; 1: all, for lra evaluate")
      .integer("split_seed", split_seed, 0, std::int64_t{1} << 62, "seed of these shares")
      .integer("padding", padding, -1, 65534,
               "id that fills up sequences at the end and is left out; -1: none")
      .number("low", low, -1e30, 1e30, "number that is black, for pixels of another range")
      .number("high", high, -1e30, 1e30, "number that is white")
      .choice("colour", colour, "keep: three values per pixel, red, green, blue; grey: one")
      .integer("permute", permute, -1, std::int64_t{1} << 62,
               "seed of one permutation of all pixels, as in psMNIST; -1: none");
}

std::string Settings::values() {
  OptionTable table;
  options(table);
  return json_text(table.values());
}

std::vector<std::string> parse_labels(const std::string& text) {
  std::vector<std::string> labels;
  if (text.starts_with('[')) {
    const json list = parse_json(text, "tasks/file: labels", ErrorKind::config);
    for (const json& label : list) {
      if (!label.is_string()) {
        fail(ErrorKind::config, "tasks/file: labels; got {}, expected texts", json_text(label));
      }
      labels.push_back(plain_label(label.get<std::string>()));
    }
  } else if (!text.empty()) {
    std::string_view rest = text;
    for (bool more = true; more;) {
      const std::size_t comma = rest.find(',');
      labels.push_back(plain_label(rest.substr(0, comma)));
      more = comma != std::string_view::npos;
      if (more) rest.remove_prefix(comma + 1);
    }
  }
  std::vector<std::string> sorted = labels;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    fail(ErrorKind::config, "tasks/file: labels: '{}' twice", printable(*twice));
  }
  return labels;
}

std::string labels_text(const std::vector<std::string>& labels) {
  std::string text;
  for (const std::string& label : labels) {
    if (label.empty() || label.starts_with('[') || label.find(',') != std::string::npos) {
      return json_text(json(labels));
    }
    text += (text.empty() ? "" : ",") + label;
  }
  return text;
}

std::string plain_label(std::string_view text) {
  text = trimmed(text);
  const std::size_t dot = text.find('.');
  if (dot != std::string_view::npos && is_digits(text.substr(0, dot)) &&
      is_digits(text.substr(dot + 1)) &&
      text.find_first_not_of('0', dot + 1) == std::string_view::npos) {
    text = text.substr(0, dot);
  }
  return std::string(text);
}

std::string add_id(double number, const Settings& settings, std::vector<std::int64_t>& ids) {
  if (settings.kind == Kind::tokens) {
    constexpr double kLargest = std::numeric_limits<Token>::max() - 1;  // 0 is padding
    if (!(number >= 0 && number <= kLargest) || number != std::floor(number)) {
      return fmt::format("id; got {}, expected an integer from 0 to {}", number, kLargest);
    }
    ids.push_back(static_cast<std::int64_t>(number));
    return {};
  }
  constexpr double kWhite = 255;
  const bool bytes = settings.low == 0 && settings.high == kWhite;
  if (!(number >= settings.low && number <= settings.high) ||
      (bytes && number != std::floor(number))) {
    return fmt::format(
        "pixel; got {}, expected {} from {} to {}; task.low and task.high are the "
        "range",
        number, bytes ? "an integer" : "a number", settings.low, settings.high);
  }
  const double share = (number - settings.low) / (settings.high - settings.low);
  ids.push_back(std::lround(share * kWhite));
  return {};
}

std::string parse_ids(std::string_view text, const Settings& settings,
                      std::vector<std::int64_t>& ids) {
  constexpr std::string_view kBetween = " \t,";
  for (std::size_t at = text.find_first_not_of(kBetween); at != std::string_view::npos;
       at = text.find_first_not_of(kBetween)) {
    text.remove_prefix(at);
    const std::string_view word = text.substr(0, text.find_first_of(kBetween));
    text.remove_prefix(word.size());
    double number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc() || end != word.data() + word.size()) {
      return fmt::format("{}; got '{}', expected numbers alone", name_of(settings.kind),
                         printable(word));
    }
    if (std::string wrong = add_id(number, settings, ids); !wrong.empty()) return wrong;
  }
  return {};
}

void add_pixels(const std::uint8_t* values, std::size_t pixels, std::size_t channels,
                const Settings& settings, std::vector<std::int64_t>& ids) {
  if (channels == 3 && settings.colour == Colour::grey) {
    for (std::size_t i = 0; i < pixels; ++i, values += 3) {
      ids.push_back((19595U * values[0] + 38470U * values[1] + 7471U * values[2] + 32768U) >> 16U);
    }
  } else {
    ids.insert(ids.end(), values, values + pixels * channels);
  }
}

}  // namespace lra::tasks::file

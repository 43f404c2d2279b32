#include "tasks/pathfinder/metadata.h"

#include <cstddef>
#include <vector>

#include "engine/base/error.h"
#include "tasks/io/archive.h"
#include "tasks/io/lines.h"
#include "tasks/io/npy.h"

namespace lra::tasks::pathfinder {
namespace {

constexpr std::size_t kColumns = 11;
constexpr std::size_t kNeededColumns = 4;

// The row behind its fields; throws Error(data).
MetadataRow parse_fields(const std::vector<std::string_view>& fields, std::string place) {
  if (fields.size() < kNeededColumns) {
    fail(ErrorKind::data, "{}: columns; got {}, expected {}", place, fields.size(), kColumns);
  }
  const std::string_view label = fields[3];
  if (label != "0" && label != "1") {
    fail(ErrorKind::data, "{}: label; got '{}', expected 0 or 1", place, printable(label));
  }
  std::string picture = fmt::format("{}/{}", fields[0], fields[1]);
  if (fields[0].empty() || fields[1].empty() || !is_safe_relative_path(picture) ||
      picture.size() > 1024) {
    fail(ErrorKind::data, "{}: picture; got '{}', expected a path inside the data folder", place,
         printable(picture));
  }
  return {std::move(picture), label == "1" ? 1 : 0, std::move(place)};
}

bool is_plain(std::string_view text) {
  for (const char c : text) {
    if (c < 0x20 || c > 0x7E) return false;
  }
  return true;
}

MetadataRow parse_line(const Line& line, const std::string& where) {
  std::string place = line_place(where, line.number);
  if (!is_plain(line.text)) {
    fail(ErrorKind::data, "{}: not text; got '{}'", place, printable(line.text));
  }
  std::vector<std::string_view> fields;
  std::string_view rest = line.text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    fields.push_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (!line.ended && fields.size() < kColumns) {
    fail(ErrorKind::data, "{}: the last line is truncated; got {} columns, expected {}", place,
         fields.size(), kColumns);
  }
  return parse_fields(fields, std::move(place));
}

// A NumPy file of a two-dimensional array of fixed-width strings.
struct StringArray {
  std::size_t rows = 0, columns = 0;
  std::size_t characters = 0;  // of an element
  std::size_t width = 0;       // bytes of a character: 4 (UTF-32) or 1
  std::string_view data;
};

StringArray parse_array(std::string_view content, const std::string& where) {
  const NpyArray npy = parse_npy(content, where);
  const bool strings = npy.type.starts_with("<U") || npy.type.starts_with("|S");
  if (!strings || npy.shape.size() != 2 || npy.shape[1] > 64 || npy.item_bytes > 4 * 4096) {
    fail(ErrorKind::data,
         "{}: NumPy header; got type {} and {} dimensions, expected a two-dimensional array of "
         "strings",
         where, npy.type, npy.shape.size());
  }
  StringArray array;
  array.rows = npy.shape[0];
  array.columns = npy.shape[1];
  array.width = npy.type[1] == 'U' ? 4 : 1;
  array.characters = npy.item_bytes / array.width;
  array.data = npy.data;
  return array;
}

// The text of an element: it ends at the first zero.
std::string element(const StringArray& array, std::size_t index, const std::string& place) {
  std::string text;
  const std::string_view bytes = array.data.substr(index * array.characters * array.width);
  for (std::size_t i = 0; i < array.characters; ++i) {
    const std::string_view character = bytes.substr(i * array.width, array.width);
    const bool wide = character.find_first_not_of('\0', 1) != std::string_view::npos;
    if (character[0] == '\0' && !wide) break;
    text += character[0];
    if (wide || !is_plain(text)) fail(ErrorKind::data, "{}: not ASCII text", place);
  }
  return text;
}

MetadataRow parse_row(const StringArray& array, std::size_t row, const std::string& where) {
  std::string place = line_place(where, static_cast<std::int64_t>(row) + 1);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < array.columns; ++i) {
    texts.push_back(element(array, row * array.columns + i, place));
  }
  return parse_fields({texts.begin(), texts.end()}, std::move(place));
}

}  // namespace

void read_metadata(std::string_view content, const std::string& where,
                   const std::function<void(MetadataRow&&)>& add,
                   const std::function<void(const std::string&)>& fault) {
  const auto attempt = [&](const auto& parse) {
    MetadataRow row;
    try {
      row = parse();
    } catch (const Error& error) {
      fault(error.what());
      return;
    }
    add(std::move(row));
  };
  if (content.empty()) fail(ErrorKind::data, "{}: the file is empty", where);
  if (content.starts_with(kNpyMagic)) {
    const StringArray array = parse_array(content, where);
    for (std::size_t row = 0; row < array.rows; ++row) {
      attempt([&] { return parse_row(array, row, where); });
    }
    return;
  }
  LineReader lines(content);
  for (Line line; lines.next(line);) {
    attempt([&] { return parse_line(line, where); });
  }
}

std::string metadata_line(const Setting& setting, std::uint64_t batch, std::uint64_t number,
                          const Facts& facts) {
  // Settings in Python's format: 1.0 and 0.5, but an integer thickness without a point.
  return fmt::format("imgs/{} sample_{}.png {} {} {:.1f} {} {} {} {} {} 1\n", batch, number, number,
                     facts.label, setting.continuity, setting.contour_length,
                     setting.distractor_length, setting.paddle_length, setting.paddle_thickness,
                     facts.margin);
}

}  // namespace lra::tasks::pathfinder

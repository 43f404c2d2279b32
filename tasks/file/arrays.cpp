// NumPy arrays: examples in one .npy file, [N, ...], their labels in another, [N]. Names state
// split and role: x_train.npy and y_train.npy, train.npy and train_labels.npy, X.npy and y.npy.

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tasks/file/formats.h"
#include "tasks/io/lines.h"
#include "tasks/io/npy.h"
#include "tasks/io/table.h"
#include "tasks/locate.h"

namespace lra::tasks::file {
namespace {

namespace fs = std::filesystem;

struct Role {
  std::optional<Split> split;
  bool labels = false;
};

// Role and split from the words of a file's name.
Role role_of(const fs::path& file) {
  static const std::vector<std::string> kLabels{"y", "label", "labels", "target", "targets"};
  Role role;
  const std::string name = lower_case(file.stem().string());
  std::string_view rest = name;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find_first_of("_-. "), rest.size());
    const std::string_view word = rest.substr(0, end);
    if (const auto split = split_named(word)) role.split = split;
    if (std::find(kLabels.begin(), kLabels.end(), word) != kLabels.end()) role.labels = true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return role;
}

std::vector<Part> array_parts(const fs::path& path) {
  const auto is_array = [](const fs::path& file) {
    return lower_case(file.extension().string()) == ".npy" && is_file(file);
  };
  if (is_array(path)) {
    fail(ErrorKind::data,
         "{}: got one array, expected a folder with examples and labels, e.g. "
         "x_train.npy and y_train.npy",
         path.string());
  }
  std::error_code code;
  if (!fs::is_directory(path, code)) return {};
  std::map<std::optional<Split>, Part> parts;
  for (const fs::path& file : entries_of(path)) {
    if (!is_array(file)) continue;
    const Role role = role_of(file);
    Part& part = parts[role.split];
    part.split = role.split;
    fs::path& place = role.labels ? part.labels : part.path;
    if (!place.empty()) {
      fail(ErrorKind::data, "{}: got {} and {}, expected one array of {} per split", path.string(),
           place.filename().string(), file.filename().string(),
           role.labels ? "labels" : "examples");
    }
    place = file;
  }
  std::vector<Part> result;
  for (auto& [split, part] : parts) {
    if (part.path.empty() || part.labels.empty()) {
      fail(ErrorKind::data, "{}: no array of {} beside it",
           (part.path.empty() ? part.labels : part.path).string(),
           part.path.empty() ? "examples" : "labels (y or labels in its name)");
    }
    result.push_back(std::move(part));
  }
  return result;
}

// The text of element `index` of an array of strings. Throws Error(data) beyond ASCII.
std::string string_at(const NpyArray& array, std::size_t index) {
  const std::size_t width = array.type[1] == 'U' ? 4 : 1;
  std::string text;
  for (std::size_t i = 0; i < array.item_bytes; i += width) {
    const std::string_view character = array.data.substr(index * array.item_bytes + i, width);
    if (character.find_first_not_of('\0') == std::string_view::npos) break;
    const bool wide = character.find_first_not_of('\0', 1) != std::string_view::npos;
    if (wide || static_cast<unsigned char>(character[0]) > 0x7E) {
      fail(ErrorKind::data, "label; got letters beyond ASCII");
    }
    text += character[0];
  }
  return text;
}

void read_arrays(const Part& part, const Settings& settings, const Handler& handler) {
  require_kind(settings, {Kind::tokens, Kind::pixels}, "arrays");
  require_no_columns(settings, {}, "arrays");
  const std::string content = read_file(part.path);
  const std::string label_content = read_file(part.labels);
  const NpyArray examples = parse_npy(content, part.path.string());
  const NpyArray labels = parse_npy(label_content, part.labels.string());
  if (!examples.is_numeric() || examples.shape.size() < 2) {
    fail(ErrorKind::data, "{}: got type {} and {} dimensions, expected numbers of shape [N, ...]",
         part.path.string(), examples.type, examples.shape.size());
  }
  if (labels.size() != labels.shape[0]) {
    fail(ErrorKind::data, "{}: labels; got shape ({}), expected ({},), a class per example{}",
         part.labels.string(), fmt::join(labels.shape, ", "), examples.shape[0],
         labels.shape.size() == 2 ? "; try argmax(axis=1) if they are one-hot" : "");
  }
  if (labels.shape[0] != examples.shape[0]) {
    fail(ErrorKind::data, "{}: got {} labels, expected one for each of {} examples",
         part.labels.string(), labels.shape[0], examples.shape[0]);
  }
  const std::size_t count = examples.shape[0];
  const std::size_t length = count == 0 ? 0 : examples.size() / count;
  const bool colour = examples.shape.size() == 4 && examples.shape[3] == 3 &&
                      settings.colour == Colour::grey && settings.kind == Kind::pixels;
  for (std::size_t i = 0; i < count; ++i) {
    Record record;
    record.place = fmt::format("{}: example {}", part.path.string(), i);
    std::string wrong;
    try {
      record.label = plain_label(labels.is_numeric() ? fmt::format("{}", labels.number(i))
                                                     : string_at(labels, i));
    } catch (const Error& error) {
      wrong = error.what();
    }
    for (std::size_t at = 0; at < length && wrong.empty(); ++at) {
      wrong = add_id(examples.number(i * length + at), settings, record.ids);
    }
    if (wrong.empty() && colour) {
      std::vector<std::uint8_t> values(record.ids.begin(), record.ids.end());
      record.ids.clear();
      add_pixels(values.data(), values.size() / 3, 3, settings, record.ids);
    }
    if (wrong.empty()) {
      handler.take(record);
    } else {
      handler.fault(fmt::format("{}: {}", record.place, wrong));
    }
  }
}

}  // namespace

Format arrays() {
  return {"arrays", array_parts,
          [](const Part& part) {
            return std::vector<fs::path>{part.path, part.labels};
          },
          read_arrays};
}

}  // namespace lra::tasks::file

#include "tasks/file/formats.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <system_error>
#include <utility>

#include "engine/base/error.h"
#include "tasks/io/lines.h"
#include "tasks/io/table.h"
#include "tasks/locate.h"

namespace lra::tasks::file {
namespace {

namespace fs = std::filesystem;

// The first names of a folder, for a message.
std::string contents_of(const fs::path& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) return "a file '" + path.filename().string() + "'";
  constexpr std::size_t kShown = 5;
  std::vector<std::string> names;
  for (const auto& entry : entries_of(path)) names.push_back(entry.filename().string());
  const std::size_t all = names.size();
  names.resize(std::min(all, kShown));
  return all == 0
             ? "an empty folder"
             : fmt::format("a folder of {}{}", fmt::join(names, ", "), all > kShown ? ", ..." : "");
}

// The splits in the words of a name, the last of them: x_test.npy, t10k-images-idx3-ubyte.gz.
std::optional<Split> split_in_words(std::string_view name) {
  std::optional<Split> split;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find_first_of("_-. "), name.size());
    if (const auto named = split_named(name.substr(0, end))) split = named;
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return split;
}

bool one_of(const std::string& ending, std::initializer_list<std::string_view> endings) {
  return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

// Whether a folder has what examples come as: folders or files of data.
bool holds_data(const fs::path& folder) {
  const auto entries = entries_of(folder);
  return std::any_of(entries.begin(), entries.end(), [](const fs::path& entry) {
    const std::string ending = lower_case(entry.extension().string());
    if (entry.filename().string().starts_with('.')) return false;
    return one_of(ending, {".txt", ".png", ".jpg", ".jpeg", ".csv", ".tsv", ".jsonl", ".ndjson",
                           ".json", ".npy", ".parquet", ".gz"}) ||
           is_folder(entry);
  });
}

// An entry of a data set's folder that is a split by its name.
struct Named {
  Split split;
  bool readable = false;  // in a form of this folder, as it is
};

// Empty for an entry that is no split of any form.
std::optional<Named> split_of_entry(const fs::path& entry) {
  const std::string name = entry.filename().string();
  if (name.starts_with('.')) return std::nullopt;
  const std::string ending = lower_case(entry.extension().string());
  const auto whole = split_named(name);  // a folder's
  if (whole && is_folder(entry)) {
    return holds_data(entry) ? std::optional(Named{*whole, true}) : std::nullopt;
  }
  const auto as_file = [&](std::optional<Split> split, bool readable) {
    return split && is_file(entry) ? std::optional(Named{*split, readable}) : std::nullopt;
  };
  if (one_of(ending, {".csv", ".tsv", ".jsonl", ".ndjson", ".json"})) {
    return as_file(split_named(entry.stem().string()), true);
  }
  if (ending == ".npy" || lower_case(name).find("ubyte") != std::string::npos) {
    return as_file(split_in_words(name), false);
  }
  // Packed files and forms that are not read: a split all the same.
  if (one_of(ending, {".gz",  ".bz2",  ".xz",  ".zst",  ".zip",     ".tar",   ".tgz",
                      ".txt", ".bin",  ".npz", ".arff", ".parquet", ".arrow", ".feather",
                      ".xls", ".xlsx", ".pkl", ".pt",   ".h5",      ".hdf5",  ".tfrecord"})) {
    return as_file(split_named(name.substr(0, name.find('.'))), false);
  }
  return std::nullopt;
}

// Refuses a folder in which a split has a form other than that of `found`: it would be ignored, and
// another drawn from train in its place.
void require_one_form(const fs::path& path, const FoundData& found) {
  std::error_code code;
  if (!fs::is_directory(path, code)) return;
  const auto is_part = [&](const fs::path& entry) {
    return std::any_of(found.parts.begin(), found.parts.end(), [&](const Part& part) {
      return part.path == entry || part.labels == entry;
    });
  };
  const auto has = [&](Split split) {
    return std::any_of(found.parts.begin(), found.parts.end(),
                       [&](const Part& part) { return part.split == split; });
  };
  const bool itself = is_part(path);  // its folders are the classes
  for (const fs::path& entry : entries_of(path)) {
    if (is_part(entry)) continue;
    const auto named = split_of_entry(entry);
    if (!named || (itself && is_folder(entry))) continue;
    // A packed copy, or arrays beside what they were made of, take nothing away.
    if (has(named->split) && !named->readable) continue;
    fail(
        ErrorKind::data,
        "{}: got {} ({}) and {}, expected train, val and test in one form; convert one of them, or "
        "move it to another folder",
        path.string(), found.parts.front().path.filename().string(), found.format.name,
        entry.filename().string());
  }
}

}  // namespace

FoundData find_parts(const fs::path& path) {
  std::error_code code;
  if (!fs::exists(path, code)) fail(ErrorKind::data, "{}: does not exist", path.string());
  for (const Format& format :
       {tables(), json_lines(), arrays(), idx_files(), cifar_batches(), class_folders()}) {
    std::vector<Part> parts = format.parts(path);
    if (parts.empty()) continue;
    std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
      return a.split.value_or(Split::train) < b.split.value_or(Split::train);
    });
    FoundData found{format, std::move(parts)};
    require_one_form(path, found);
    return found;
  }
  fail(
      ErrorKind::data,
      "{}: no data set of a known form; got {}, expected a .csv, .tsv or .jsonl file or train, val "
      "and test of these, a folder per class with .txt or .png files, .npy arrays with labels, "
      "MNIST's idx files or CIFAR's binary batches",
      path.string(), contents_of(path));
}

std::optional<Split> split_named(std::string_view name) {
  static const std::map<std::string, Split> kNames{
      {"train", Split::train}, {"training", Split::train}, {"val", Split::val},
      {"valid", Split::val},   {"validation", Split::val}, {"dev", Split::val},
      {"eval", Split::val},    {"test", Split::test},      {"testing", Split::test},
      {"t10k", Split::test}};
  const auto found = kNames.find(lower_case(name));
  return found == kNames.end() ? std::nullopt : std::optional(found->second);
}

void add_part(std::vector<Part>& parts, Part part, const char* what) {
  for (const Part& other : parts) {
    if (other.split != part.split) continue;
    fail(ErrorKind::data, "{}: {}: got {} and {}, expected one {}",
         part.path.parent_path().string(), split_name(part.split.value()),
         other.path.filename().string(), part.path.filename().string(), what);
  }
  parts.push_back(std::move(part));
}

std::vector<Part> parts_by_name(const fs::path& path, const std::vector<std::string>& endings) {
  const auto fits = [&](const fs::path& file) {
    return std::find(endings.begin(), endings.end(), lower_case(file.extension().string())) !=
               endings.end() &&
           is_file(file);
  };
  if (fits(path)) return {{std::nullopt, path, {}}};
  std::error_code code;
  if (!fs::is_directory(path, code)) return {};
  std::vector<Part> named;
  std::vector<Part> all;
  for (const fs::path& file : entries_of(path)) {
    if (file.filename().string().starts_with('.') || !fits(file)) continue;
    all.push_back({std::nullopt, file, {}});
    if (const auto split = split_named(file.stem().string())) {
      add_part(named, {split, file, {}}, "file");
    }
  }
  if (!named.empty()) return named;
  return all.size() == 1 ? all : std::vector<Part>();
}

const Names& usual_names() {
  static const Names names{{"label", "labels", "class", "category", "target", "targets",
                            "sentiment", "class index", "class_index", "stars", "rating", "topic"},
                           {"text", "review", "content", "source", "body", "sentence", "document",
                            "title", "description", "question", "comment", "tokens", "ids",
                            "input_ids", "pixels", "values", "image"},
                           {{"text1", "text2"},
                            {"text_a", "text_b"},
                            {"sentence1", "sentence2"},
                            {"premise", "hypothesis"},
                            {"question1", "question2"},
                            {"question", "sentence"},
                            {"first", "second"}}};
  return names;
}

std::vector<std::string> listed(const std::string& text) {
  std::vector<std::string> list;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    list.push_back(plain_label(rest.substr(0, comma)));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return list;
}

void require_no_columns(const Settings& settings, std::initializer_list<std::string_view> labels,
                        const char* format) {
  const std::string& label = settings.label_column;
  if (!label.empty() && std::find(labels.begin(), labels.end(), label) == labels.end()) {
    fail(ErrorKind::config, "tasks/file: label_column; got '{}' for {}, expected {}",
         printable(label), format,
         labels.size() == 0 ? "none: they have no columns"
                            : fmt::format("{}", fmt::join(labels, " or ")));
  }
  if (!settings.text_columns.empty()) {
    fail(ErrorKind::config,
         "tasks/file: text_columns; got '{}' for {}, expected none: they have no columns",
         printable(settings.text_columns), format);
  }
}

void require_kind(const Settings& settings, std::initializer_list<Kind> kinds, const char* format) {
  if (std::find(kinds.begin(), kinds.end(), settings.kind) != kinds.end()) return;
  std::vector<std::string_view> names;
  for (const Kind kind : kinds) names.push_back(name_of(kind));
  fail(ErrorKind::config, "tasks/file: kind; got {}, expected {} for {}; set task.kind={}",
       name_of(settings.kind), fmt::join(names, " or "), format, names.front());
}

}  // namespace lra::tasks::file

#include "tasks/file/formats.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <system_error>

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
    return {format, std::move(parts)};
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
    const auto split = split_named(file.stem().string());
    if (!split) continue;
    for (const Part& part : named) {
      if (part.split == split) {
        fail(ErrorKind::data, "{}: {}: got {} and {}, expected one file", path.string(),
             split_name(*split), part.path.filename().string(), file.filename().string());
      }
    }
    named.push_back({split, file, {}});
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

#pragma once
// The supported forms of data sets: one file of this folder per form.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tasks/file/settings.h"

namespace lra::tasks::file {

// A unit of examples: a table, a folder of classes, an array with its labels.
struct Part {
  std::optional<Split> split;    // none: assigned by content
  std::filesystem::path path;    // file, or folder of classes
  std::filesystem::path labels;  // their own file, if there is one
};

struct Format {
  const char* name;  // "tables", for descriptions
  // The parts of a data set of this form; none if the path has another form. Throws Error(data) for
  // an incomplete data set of this form.
  std::vector<Part> (*parts)(const std::filesystem::path& path);
  // All files of a part, in order.
  std::vector<std::filesystem::path> (*files)(const Part& part);
  // Reads a part; its records in the order of the files. Throws Error(data) that names the file.
  void (*read)(const Part& part, const Settings& settings, const Handler& handler);
};

[[nodiscard]] Format tables();         // .csv, .tsv
[[nodiscard]] Format json_lines();     // .jsonl, .ndjson, .json
[[nodiscard]] Format arrays();         // .npy with labels in another
[[nodiscard]] Format idx_files();      // MNIST's
[[nodiscard]] Format cifar_batches();  // CIFAR-10's and CIFAR-100's binary version
[[nodiscard]] Format class_folders();  // CLASS/FILE.txt or .png

struct FoundData {
  Format format;
  std::vector<Part> parts;  // train before val before test
};
// The form of a path. Throws Error(data) with the content found and the supported forms, and for a
// folder that has a split in another form than the one found.
[[nodiscard]] FoundData find_parts(const std::filesystem::path& path);

// The split in a name or a part of one, in any letter case: train, training; val, valid,
// validation, dev, eval; test, testing, t10k.
[[nodiscard]] std::optional<Split> split_named(std::string_view name);
// Adds a part that has a split. Throws Error(data), naming `what` is expected once, if another part
// has the same.
void add_part(std::vector<Part>& parts, Part part, const char* what);
// A file with one of the endings, or the files of a folder named after splits, or the only file of
// the folder with such an ending. Throws Error(data) if a split has two.
[[nodiscard]] std::vector<Part> parts_by_name(const std::filesystem::path& path,
                                              const std::vector<std::string>& endings);
// The columns of an example, by their names in a header or an object.
struct Names {
  std::vector<std::string> label, text;  // candidates in order of preference
  std::vector<std::pair<std::string, std::string>> pair;
};
[[nodiscard]] const Names& usual_names();
// "a, b" as a list, trimmed.
[[nodiscard]] std::vector<std::string> listed(const std::string& text);
// Throws Error(config) if columns are named for a form without columns; `labels` are the values of
// task.label_column that are valid nevertheless.
void require_no_columns(const Settings& settings, std::initializer_list<std::string_view> labels,
                        const char* format);
// Throws Error(config) if the kind of the data is not in `kinds`.
void require_kind(const Settings& settings, std::initializer_list<Kind> kinds, const char* format);

}  // namespace lra::tasks::file

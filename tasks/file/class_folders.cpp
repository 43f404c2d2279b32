// A folder per class with a file per example: SPLIT/CLASS/FILE or CLASS/FILE; .txt for text, .png
// for pixels.

#include <algorithm>
#include <map>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tasks/file/formats.h"
#include "tasks/io/ordered.h"
#include "tasks/io/png.h"
#include "tasks/io/table.h"
#include "tasks/locate.h"

namespace lra::tasks::file {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> folders_in(const fs::path& path) {
  std::vector<fs::path> folders;
  for (const fs::path& entry : entries_of(path)) {
    if (!entry.filename().string().starts_with('.') && is_folder(entry)) folders.push_back(entry);
  }
  return folders;
}

std::vector<fs::path> files_in(const fs::path& path) {
  std::vector<fs::path> files = entries_of(path);
  std::erase_if(files,
                [](const fs::path& file) { return file.filename().string().starts_with('.'); });
  return files;
}

std::vector<Part> folder_parts(const fs::path& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) return {};
  const auto folders = folders_in(path);
  std::vector<Part> parts;
  for (const fs::path& folder : folders) {
    const auto split = split_named(folder.filename().string());
    if (split && !folders_in(folder).empty()) add_part(parts, {split, folder, {}}, "folder");
  }
  if (!parts.empty()) return parts;
  if (folders.size() < 2) return {};
  return {{std::nullopt, path, {}}};
}

std::vector<fs::path> folder_files(const Part& part) {
  std::vector<fs::path> files;
  for (const fs::path& folder : folders_in(part.path)) {
    for (fs::path& file : files_in(folder)) files.push_back(std::move(file));
  }
  return files;
}

struct Item {
  fs::path path;
  Record record;
  std::string wrong;
};

void load(Item& item, const Settings& settings) {
  const std::string file = item.path.string();
  const char* ending = settings.kind == Kind::text ? ".txt" : ".png";
  try {
    if (!is_file(item.path) || lower_case(item.path.extension().string()) != ending) {
      item.wrong = fmt::format("{}: not a {} file, as the kind {} expects", file, ending,
                               name_of(settings.kind));
      return;
    }
    std::string content = read_file(item.path);
    if (settings.kind == Kind::text) {
      item.record.text = std::move(content);
      return;
    }
    const PngPicture picture = decode_png(content, file);
    add_pixels(picture.values.data(), picture.height * picture.width, picture.channels, settings,
               item.record.ids);
  } catch (const Error& error) {
    item.wrong = error.what();
  }
}

void read_folders(const Part& part, const Settings& settings, const Handler& handler) {
  require_kind(settings, {Kind::text, Kind::pixels}, "folders of classes");
  require_no_columns(settings, {}, "folders of classes");
  const auto files = folder_files(part);
  std::size_t next = 0;
  ordered_pipeline<Item>(
      [&](Item& item) {
        if (next == files.size()) return false;
        item.path = files[next++];
        item.record.place = item.path.string();
        item.record.label = plain_label(item.path.parent_path().filename().string());
        return true;
      },
      [&](Item& item) { load(item, settings); },
      [&](Item& item) {
        if (item.wrong.empty()) {
          handler.take(item.record);
        } else {
          handler.fault(item.wrong);
        }
      });
}

}  // namespace

Format class_folders() { return {"folders of classes", folder_parts, folder_files, read_folders}; }

}  // namespace lra::tasks::file

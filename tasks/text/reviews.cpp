#include "tasks/text/reviews.h"

#include <oneapi/tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "tasks/io/archive.h"
#include "tasks/io/hash.h"
#include "tasks/io/lines.h"
#include "tasks/io/table.h"
#include "tasks/locate.h"

namespace lra::tasks::text {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestReview = std::uint64_t{16} << 20U;
constexpr std::array<Split, 2> kReviewSplits{Split::train, Split::test};
constexpr std::array<const char*, 2> kLabelFolders{"neg", "pos"};

struct Name {
  std::int64_t id = 0, rating = 0;
};

// <id>_<rating>.txt
std::optional<Name> parse_name(std::string_view name) {
  Name result;
  const char* const end = name.data() + name.size();
  const auto id = std::from_chars(name.data(), end, result.id);
  if (id.ec != std::errc() || id.ptr == end || *id.ptr != '_') return std::nullopt;
  const auto rating = std::from_chars(id.ptr + 1, end, result.rating);
  if (rating.ec != std::errc() || std::string_view(rating.ptr, end) != ".txt" || result.id < 0) {
    return std::nullopt;
  }
  return result;
}

// The fault of a review's name in the folder of its label; empty if there is none.
std::string name_fault(std::string_view name, std::int32_t label, std::set<std::int64_t>& ids) {
  const auto parsed = parse_name(name);
  if (!parsed)
    return fmt::format("name; got '{}', expected <id>_<rating>.txt; try --task file",
                       printable(name));
  const bool fits = label == 1 ? parsed->rating >= 7 && parsed->rating <= 10
                               : parsed->rating >= 1 && parsed->rating <= 4;
  if (!fits) {
    return fmt::format("rating; got {}, expected {}", parsed->rating,
                       label == 1 ? "7..10 in pos" : "1..4 in neg");
  }
  if (!ids.insert(parsed->id).second) {
    return fmt::format("id {} twice in one folder", parsed->id);
  }
  return {};
}

struct TreeFile {
  fs::path path;
  Split split = Split::train;
  std::int32_t label = 0;
};

std::vector<TreeFile> list_tree(const fs::path& folder) {
  std::vector<TreeFile> files;
  for (const Split split : kReviewSplits) {
    for (const std::int32_t label : {0, 1}) {
      const fs::path place =
          folder / split_name(split) / kLabelFolders[static_cast<std::size_t>(label)];
      const std::size_t first = files.size();
      for (fs::path& path : entries_of(place)) {
        if (path.filename().string().starts_with('.')) continue;
        files.push_back({std::move(path), split, label});
      }
      if (files.size() == first) fail(ErrorKind::data, "{}: no reviews", place.string());
    }
  }
  return files;
}

// Reads one file of the tree. Returns the fault, or an empty text.
std::string load(const TreeFile& file, Review& review) {
  try {
    if (!is_file(file.path)) return fmt::format("{}: not a regular file", file.path.string());
    review.content = read_file(file.path);
  } catch (const Error& error) {
    return error.what();
  }
  if (review.content.empty()) return fmt::format("{}: the document is empty", file.path.string());
  review.sha256 = sha256_hex(review.content);
  return {};
}

std::optional<std::int32_t> label_of(std::string_view text) {
  const std::string lower = lower_case(text);
  if (lower == "0" || lower == "0.0" || lower == "neg" || lower == "negative") return 0;
  if (lower == "1" || lower == "1.0" || lower == "pos" || lower == "positive") return 1;
  return std::nullopt;
}

struct Columns {
  std::size_t label = 0, text = 1, count = 2;
};

// The columns named by a header, or empty if the line is not a header.
std::optional<Columns> header_columns(const std::vector<std::string>& fields) {
  static const std::map<std::string, bool> kNames{
      {"label", true}, {"sentiment", true}, {"class", true},   {"target", true},
      {"text", false}, {"review", false},   {"content", false}};
  std::optional<std::size_t> label;
  std::optional<std::size_t> text;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto name = kNames.find(lower_case(fields[i]));
    if (name == kNames.end()) continue;
    (name->second ? label : text) = i;
  }
  if (!label || !text) return std::nullopt;
  return Columns{*label, *text, fields.size()};
}

}  // namespace

bool is_review_tree(const fs::path& folder) {
  for (const Split split : kReviewSplits) {
    for (const char* label : kLabelFolders) {
      if (!is_folder(folder / split_name(split) / label)) return false;
    }
  }
  return true;
}

std::vector<Review> read_review_tree(const fs::path& folder, const FaultHandler& fault) {
  const std::vector<TreeFile> files = list_tree(folder);
  std::vector<Review> reviews(files.size());
  std::vector<std::string> faults(files.size());
  oneapi::tbb::parallel_for(std::size_t{0}, files.size(), [&](std::size_t i) {
    reviews[i].split = files[i].split;
    reviews[i].label = files[i].label;
    faults[i] = load(files[i], reviews[i]);
  });
  std::map<fs::path, std::set<std::int64_t>> ids;
  std::vector<Review> good;
  good.reserve(reviews.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::string wrong = name_fault(files[i].path.filename().string(), files[i].label,
                                   ids[files[i].path.parent_path()]);
    if (!wrong.empty()) wrong = fmt::format("{}: {}", files[i].path.string(), wrong);
    if (wrong.empty()) wrong = faults[i];
    if (wrong.empty()) {
      good.push_back(std::move(reviews[i]));
    } else {
      fault(wrong);
    }
  }
  return good;
}

std::string review_tree_fingerprint(const fs::path& folder) {
  std::vector<fs::path> files;
  for (TreeFile& file : list_tree(folder)) files.push_back(std::move(file.path));
  return states_sha256(files);
}

std::vector<Review> read_review_archive(const fs::path& archive, const FaultHandler& fault) {
  std::vector<std::string> patterns;
  for (const Split split : kReviewSplits) {
    for (const char* label : kLabelFolders) {
      patterns.push_back(fmt::format("**/{}/{}/*", split_name(split), label));
    }
  }
  std::vector<Review> reviews;
  std::map<std::string, std::set<std::int64_t>> ids;
  read_archive(archive, patterns, [&](ArchiveEntry& entry) {
    const fs::path path(entry.name());
    const std::string name = path.filename().string();
    if (name.starts_with('.')) return;
    Review review;
    review.label = path.parent_path().filename() == "pos" ? 1 : 0;
    const fs::path split = path.parent_path().parent_path().filename();
    review.split = split == "train" ? Split::train : Split::test;
    review.content = entry.read_all(kLargestReview);
    std::string wrong = name_fault(name, review.label, ids[path.parent_path().string()]);
    if (wrong.empty() && review.content.empty()) wrong = "the document is empty";
    if (wrong.empty()) {
      reviews.push_back(std::move(review));
    } else {
      fault(fmt::format("{}: {}: {}", archive.string(), entry.name(), wrong));
    }
  });
  for (const Split split : kReviewSplits) {
    if (std::none_of(reviews.begin(), reviews.end(),
                     [split](const Review& review) { return review.split == split; })) {
      fail(ErrorKind::data, "{}: no reviews below {}/", archive.string(), split_name(split));
    }
  }
  oneapi::tbb::parallel_for(std::size_t{0}, reviews.size(), [&](std::size_t i) {
    reviews[i].sha256 = sha256_hex(reviews[i].content);
  });
  return reviews;
}

void read_review_table(std::string_view content, const std::string& file, bool csv, Split split,
                       std::vector<Review>& reviews, const FaultHandler& fault) {
  TableReader table(without_mark(content, file), file, csv ? ',' : '\t');
  std::vector<std::string> fields;
  std::int64_t line = 0;
  Columns columns;
  bool first = true;
  const std::size_t before = reviews.size();
  while (table.next(fields, line)) {
    if (std::exchange(first, false)) {
      if (const auto named = header_columns(fields)) {
        columns = *named;
        continue;
      }
    }
    const std::string where = line_place(file, line);
    if (fields.size() != columns.count) {
      fault(fmt::format("{}: columns; got {}, expected {}", where, fields.size(), columns.count));
      continue;
    }
    const auto label = label_of(fields[columns.label]);
    if (!label) {
      fault(
          fmt::format("{}: label; got '{}', expected 0 or 1, neg or pos, negative or positive: "
                      "two classes; try --task file",
                      where, printable(fields[columns.label])));
      continue;
    }
    if (fields[columns.text].empty()) {
      fault(fmt::format("{}: the document is empty", where));
      continue;
    }
    reviews.push_back({split, *label, std::move(fields[columns.text]), {}});
    reviews.back().sha256 = sha256_hex(reviews.back().content);
  }
  if (first) fail(ErrorKind::data, "{}:1: the file is empty", file);
  if (reviews.size() == before) fail(ErrorKind::data, "{}: no reviews", file);
}

std::string reviews_digest(const std::vector<Review>& reviews, Split split) {
  std::vector<std::string> lines;
  for (const Review& review : reviews) {
    if (review.split == split) lines.push_back(fmt::format("{} {}\n", review.label, review.sha256));
  }
  std::sort(lines.begin(), lines.end());
  Sha256 digest;
  for (const auto& line : lines) digest.update(line);
  return digest.hex();
}

}  // namespace lra::tasks::text

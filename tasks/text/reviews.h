#pragma once
// Film reviews in the supported forms: the aclImdb folder tree, its archive, tables.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tasks/task.h"

namespace lra::tasks::text {

struct Review {
  Split split = Split::train;  // tables may also have val
  std::int32_t label = 0;      // 0 negative, 1 positive
  std::string content;         // unchanged bytes
  std::string sha256;          // of the content
};

using FaultHandler = std::function<void(const std::string&)>;

// Whether a folder has train/{pos,neg} and test/{pos,neg}.
[[nodiscard]] bool is_review_tree(const std::filesystem::path& folder);
// Reads <split>/<pos|neg>/<id>_<rating>.txt in parallel. Faults of a record: a malformed name, a
// rating that contradicts the folder (pos 7..10, neg 1..4), a duplicate id in a folder, an empty
// file, a link that leaves the tree. Files whose names begin with '.' are ignored.
[[nodiscard]] std::vector<Review> read_review_tree(const std::filesystem::path& folder,
                                                   const FaultHandler& fault);
// Names, sizes and times of a tree's files in one digest.
[[nodiscard]] std::string review_tree_fingerprint(const std::filesystem::path& folder);
// The same tree from a tar archive (see archive.h for its faults), without unpacking it.
[[nodiscard]] std::vector<Review> read_review_archive(const std::filesystem::path& archive,
                                                      const FaultHandler& fault);

// One table of labels and texts. A .csv file has commas and the quotes of RFC 4180. A .tsv file has
// tabs; its quotes are RFC 4180's if all of them obey it (as written by data-frame libraries), else
// they are text. A byte order mark of UTF-8 is skipped. A first line with the names label,
// sentiment, class or target and text, review or content, in any letter case, is a header, else the
// columns are label, text. Labels: 0, 1, 0.0, 1.0, neg, pos, negative, positive. Records with other
// labels, another number of columns or an empty text are faults, reported with file and line.
// Throws Error(data) for an empty file and an unclosed quotation mark.
void read_review_table(std::string_view content, const std::string& file, bool csv, Split split,
                       std::vector<Review>& reviews, const FaultHandler& fault);

// Digest over the reviews of a split, independent of their order: SHA-256 of the sorted lines
// "<label> <sha256>\n".
[[nodiscard]] std::string reviews_digest(const std::vector<Review>& reviews, Split split);

}  // namespace lra::tasks::text

#pragma once
// Pairs of documents in the form of the arena's retrieval files.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "tasks/task.h"

namespace lra::tasks::retrieval {

using PairHandler =
    std::function<void(std::int32_t label, std::string_view first, std::string_view second)>;
using FaultHandler = std::function<void(const std::string&)>;

// new_aan_pairs.{train,eval,test}.tsv
[[nodiscard]] std::string pairs_name(Split split);
// The same with document numbers instead of documents: new_aan_pairs.{train,eval,test}.ids.tsv, and
// the name of the benchmark's own files of that kind, .only_ids.tsv
[[nodiscard]] std::string ids_name(Split split);
[[nodiscard]] std::string only_ids_name(Split split);

// Rows label, id1, id2, text1, text2 without a header, split at tabs; quotation marks are text.
// Labels 0, 1, 0.0, 1.0. Faults, with file and line: another number of columns, another label, an
// empty id or text, a truncated last line. Throws Error(data) for an empty file. `before` is
// the number of lines before `content`, of a file that is read in pieces.
void read_pairs(std::string_view content, const std::string& file, const PairHandler& add,
                const FaultHandler& fault, std::int64_t before = 0);

// Documents by id, from rows id, text. Faults: another number of columns, an id that occurs twice,
// an empty id or text. The views point into `content`.
using Documents = std::unordered_map<std::string_view, std::string_view>;
[[nodiscard]] Documents read_documents(std::string_view content, const std::string& file,
                                       const FaultHandler& fault);

// Rows label, id1, id2 whose texts are in `documents`. Faults as for read_pairs, and an unknown id.
void read_id_pairs(std::string_view content, const std::string& file, const Documents& documents,
                   const PairHandler& add, const FaultHandler& fault);

}  // namespace lra::tasks::retrieval

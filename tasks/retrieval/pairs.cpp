#include "tasks/retrieval/pairs.h"

#include <array>
#include <optional>
#include <span>

#include "engine/base/error.h"
#include "tasks/io/lines.h"

namespace lra::tasks::retrieval {
namespace {

std::optional<std::int32_t> label_of(std::string_view text) {
  if (text == "0" || text == "0.0") return 0;
  if (text == "1" || text == "1.0") return 1;
  return std::nullopt;
}

// Splits a line at its tabs; the number of columns, which may exceed the room.
std::size_t split_columns(std::string_view line, std::span<std::string_view> columns) {
  for (std::size_t count = 0;; ++count) {
    const std::size_t tab = line.find('\t');
    if (count < columns.size()) columns[count] = line.substr(0, tab);
    if (tab == std::string_view::npos) return count + 1;
    line.remove_prefix(tab + 1);
  }
}

// The columns of a line, checked; throws Error(data).
template <std::size_t count>
std::array<std::string_view, count> columns_of(const Line& line, const std::string& file) {
  std::array<std::string_view, count> columns;
  if (!line.ended) {
    fail(ErrorKind::data, "{}: the last line is truncated; got no line end",
         line_place(file, line.number));
  }
  const std::size_t found = split_columns(line.text, columns);
  if (found != count) {
    fail(ErrorKind::data, "{}: columns; got {}, expected {}", line_place(file, line.number), found,
         count);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (columns[i].empty()) {
      fail(ErrorKind::data, "{}: column {} is empty", line_place(file, line.number), i + 1);
    }
  }
  return columns;
}

std::int32_t checked_label(std::string_view text, const Line& line, const std::string& file) {
  const auto label = label_of(text);
  if (!label) {
    fail(ErrorKind::data, "{}: label; got '{}', expected 0, 1, 0.0 or 1.0",
         line_place(file, line.number), printable(text));
  }
  return *label;
}

// Calls take(line) for every line; its Error(data) becomes a fault.
template <class Take>
void for_each_line(std::string_view content, const std::string& file, const FaultHandler& fault,
                   const Take& take, std::int64_t before = 0) {
  if (before == 0) {
    if (content.empty()) fail(ErrorKind::data, "{}:1: the file is empty", file);
    content = without_mark(content, file);
  }
  LineReader lines(content, true, before);
  Line line;
  while (lines.next(line)) {
    std::string wrong;
    try {
      take(line);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::data) throw;
      wrong = error.what();
    }
    if (!wrong.empty()) fault(wrong);
  }
}

std::string_view file_part(Split split) { return split == Split::val ? "eval" : split_name(split); }

}  // namespace

std::string pairs_name(Split split) {
  return fmt::format("new_aan_pairs.{}.tsv", file_part(split));
}

std::string ids_name(Split split) {
  return fmt::format("new_aan_pairs.{}.ids.tsv", file_part(split));
}

std::string only_ids_name(Split split) {
  return fmt::format("new_aan_pairs.{}.only_ids.tsv", file_part(split));
}

void read_pairs(std::string_view content, const std::string& file, const PairHandler& add,
                const FaultHandler& fault, std::int64_t before) {
  const auto take = [&](const Line& line) {
    const auto columns = columns_of<5>(line, file);
    add(checked_label(columns[0], line, file), columns[3], columns[4]);
  };
  for_each_line(content, file, fault, take, before);
}

Documents read_documents(std::string_view content, const std::string& file,
                         const FaultHandler& fault) {
  Documents documents;
  for_each_line(content, file, fault, [&](const Line& line) {
    const auto columns = columns_of<2>(line, file);
    if (!documents.emplace(columns[0], columns[1]).second) {
      fail(ErrorKind::data, "{}: document '{}' occurs twice", line_place(file, line.number),
           printable(columns[0]));
    }
  });
  return documents;
}

void read_id_pairs(std::string_view content, const std::string& file, const Documents& documents,
                   const PairHandler& add, const FaultHandler& fault) {
  for_each_line(content, file, fault, [&](const Line& line) {
    const auto columns = columns_of<3>(line, file);
    const std::int32_t label = checked_label(columns[0], line, file);
    const auto text = [&](std::string_view id) {
      const auto document = documents.find(id);
      if (document == documents.end()) {
        fail(ErrorKind::data, "{}: no document '{}'", line_place(file, line.number), printable(id));
      }
      return document->second;
    };
    add(label, text(columns[1]), text(columns[2]));
  });
}

}  // namespace lra::tasks::retrieval

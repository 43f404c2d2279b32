#include "tasks/listops/tsv.h"

#include <vector>

#include "engine/base/error.h"
#include "tasks/io/lines.h"
#include "tasks/io/ordered.h"
#include "tasks/listops/tree.h"

namespace lra::tasks::listops {
namespace {

constexpr std::size_t kBlockLines = 64;

struct Record {
  Line line;
  std::vector<Token> tree;
  int label = 0;
  std::string fault;
};

void parse(const std::string& file, const TsvOptions& options, Record& record) {
  const std::string where = line_place(file, record.line.number);
  const std::string_view text = record.line.text;
  if (!record.line.ended) {
    fail(ErrorKind::data, "{}: the last line is truncated; got no line end after '{}'", where,
         printable(text.substr(text.size() < 20 ? 0 : text.size() - 20)));
  }
  const std::size_t tab = text.find('\t');
  if (tab == std::string_view::npos) {
    fail(ErrorKind::data, "{}: expected Source<TAB>Target; got no tab", where);
  }
  const std::string_view target = text.substr(tab + 1);
  if (target.size() != 1 || target[0] < '0' || target[0] > '9') {
    fail(ErrorKind::data, "{}: label; got '{}', expected a digit 0..9", where, printable(target));
  }
  record.label = target[0] - '0';
  parse_source(text.substr(0, tab), options.max_args, where, record.tree);
  if (!options.verify) return;
  if (const int value = evaluate(record.tree); value != record.label) {
    fail(ErrorKind::data, "{}: label; got {}, expected {}, the value of the expression", where,
         record.label, value);
  }
}

}  // namespace

std::string tsv_name(Split split) { return fmt::format("basic_{}.tsv", split_name(split)); }

void read_tsv(std::string_view content, const std::string& file, const TsvOptions& options,
              const std::function<void(std::span<const Token>, int)>& add,
              const std::function<void(const std::string&)>& fault) {
  LineReader lines(without_mark(content, file));
  Line header;
  if (!lines.next(header)) fail(ErrorKind::data, "{}:1: the file is empty", file);
  if (header.text != kHeader) {
    fail(ErrorKind::data, "{}:1: header; got '{}', expected Source<TAB>Target", file,
         printable(header.text));
  }
  using Block = std::vector<Record>;
  const auto next = [&lines](Block& block) {
    Line line;
    while (block.size() < kBlockLines && lines.next(line)) block.push_back({line, {}, 0, {}});
    return !block.empty();
  };
  const auto work = [&](Block& block) {
    for (Record& record : block) {
      try {
        parse(file, options, record);
      } catch (const Error& error) {
        record.fault = error.what();
      }
    }
  };
  std::int64_t examples = 0;
  const auto consume = [&](Block& block) {
    for (const Record& record : block) {
      ++examples;
      if (record.fault.empty()) {
        add(record.tree, record.label);
      } else {
        fault(record.fault);
      }
    }
  };
  ordered_pipeline<Block>(next, work, consume);
  if (examples == 0) fail(ErrorKind::data, "{}:2: no examples after the header", file);
}

}  // namespace lra::tasks::listops

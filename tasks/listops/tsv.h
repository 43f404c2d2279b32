#pragma once
// The official ListOps files: basic_{train,val,test}.tsv, a header and one line per example.

#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include "tasks/task.h"

namespace lra::tasks::listops {

inline constexpr std::string_view kHeader = "Source\tTarget";

struct TsvOptions {
  std::size_t max_args = 10;
  bool verify = true;  // compare each label with the value of its expression
};

// Reads the text of one file, in parallel, and calls add(tree, label) in order. A record that is
// not in the official form is passed to fault("file:line: what") and left out: a row without its
// tab, unknown words, unbalanced brackets, a wrong number of arguments, a label that is not a digit
// or (with verify) not the expression's value, a truncated last line. Both LF and CR LF are
// accepted. Throws Error(data) for an empty file, a wrong header or no examples at all.
void read_tsv(std::string_view content, const std::string& file, const TsvOptions& options,
              const std::function<void(std::span<const Token>, int)>& add,
              const std::function<void(const std::string&)>& fault);

// The name of a split's file, e.g. basic_train.tsv.
[[nodiscard]] std::string tsv_name(Split split);

}  // namespace lra::tasks::listops

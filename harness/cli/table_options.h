#pragma once
// Options that `lra table` and `lra report` share: which runs, which rows of the literature.

#include <memory>

#include "harness/cli/cli.h"
#include "results/table/table.h"

namespace lra::harness::cli {

// Adds the options to the command; they fill `options` while the command line is parsed.
void add_table_options(CLI::App& command, const std::shared_ptr<results::TableOptions>& options);

// Says on stderr how many runs of earlier versions of a suite were left out, and what shows them.
void note_left_out(std::size_t runs, const char* remedy);

// Names of attentions in place of their aliases (`linear`); a name that this program does not know
// stays, because records may be of a plugin's.
void resolve_aliases(results::TableOptions& options);

}  // namespace lra::harness::cli

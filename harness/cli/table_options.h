#pragma once
// Options that `lra table` and `lra report` share: which runs, which rows of the literature.

#include <memory>

#include "harness/cli/cli.h"
#include "results/table/table.h"

namespace lra::harness::cli {

// Adds the options to the command; they fill `options` while the command line is parsed.
void add_table_options(CLI::App& command, const std::shared_ptr<results::TableOptions>& options);

// Names of attentions in place of their aliases (`linear`); a name that this program does not know
// stays, because records may be of a plugin's.
void resolve_aliases(results::TableOptions& options);

}  // namespace lra::harness::cli

#pragma once
// Options shared by `lra table` and `lra report`: runs and rows of the literature.

#include <memory>

#include "harness/cli/cli.h"
#include "results/table/table.h"

namespace lra::harness::cli {

// Adds the options to the command; they fill `options` while the command line is parsed.
void add_table_options(CLI::App& command, const std::shared_ptr<results::TableOptions>& options);

// Prints to stderr how many runs of earlier versions of a suite were left out, and the option that
// shows them.
void note_left_out(std::size_t runs, const char* remedy);

// Replaces aliases of attentions (`linear`) by their names; unknown names are kept, because records
// may come from a plugin.
void resolve_aliases(results::TableOptions& options);

}  // namespace lra::harness::cli

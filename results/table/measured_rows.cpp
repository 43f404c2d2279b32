// Rows of measured entries: their cells, and the footnotes that say how they deviate from others.

#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "results/table/builder.h"

namespace lra::results {
namespace {

using Kind = Column::Kind;

// Lists of sorted or unsorted texts without those of `others`.
std::vector<std::string> without(const std::vector<std::string>& list,
                                 const std::vector<std::string>& others) {
  std::vector<std::string> rest;
  std::copy_if(list.begin(), list.end(), std::back_inserter(rest), [&](const std::string& text) {
    return std::find(others.begin(), others.end(), text) == others.end();
  });
  return rest;
}

}  // namespace

void TableBuilder::add_entry(const Entry& entry, const std::string& label) {
  TableRow row;
  row.label = label;
  const auto deviations = row_deviations(entry);
  if (!deviations.empty()) {
    add_mark(row.marks, note(fmt::format("free-for-all: deviates from protocol {}: {}",
                                         entry.protocol, fmt::join(deviations, "; "))));
  }
  if (const auto machine = machine_of(entry.environment); machine != reference_machine_) {
    add_mark(row.marks, note("another machine: " + machine));
  }
  if (board_.columns.size() == 1) {  // one cell per row: its marks are at the label, once
    for (const auto& [at, cell] : entry.cells) {
      for (const std::size_t mark : cell_marks(at, cell, entry)) add_mark(row.marks, mark);
    }
  }
  for (const auto& column : table_.columns) row.cells.push_back(entry_cell(entry, column));
  table_.rows.push_back(std::move(row));
}

std::vector<std::string> TableBuilder::own_deviations(std::size_t at, const Cell& cell) const {
  std::vector<std::string> rest = without(cell.deviations, board_.columns[at].deviations);
  std::erase_if(rest, [&](const std::string& text) {
    return std::find(board_.settings.begin(), board_.settings.end(), short_setting(text)) !=
           board_.settings.end();
  });
  return rest;
}

std::vector<std::string> TableBuilder::row_deviations(const Entry& entry) const {
  std::vector<std::string> shared;
  std::vector<std::string> in_short;
  for (bool first = true; const auto& [at, cell] : entry.cells) {
    const auto own = own_deviations(at, cell);
    std::vector<std::string> own_short;
    own_short.reserve(own.size());
    for (const auto& text : own) own_short.push_back(short_setting(text));
    if (first) {
      shared = own;
      in_short = own_short;
    }
    first = false;
    std::erase_if(shared, [&](const std::string& text) {
      return std::find(own.begin(), own.end(), text) == own.end();
    });
    std::erase_if(in_short, [&](const std::string& text) {
      return std::find(own_short.begin(), own_short.end(), text) == own_short.end();
    });
  }
  for (const auto& text : in_short) {
    const bool known = std::any_of(shared.begin(), shared.end(), [&](const std::string& full) {
      return short_setting(full) == text;
    });
    if (!known) shared.push_back(text);
  }
  return shared;
}

TableCell TableBuilder::entry_cell(const Entry& entry, const Column& column) {
  TableCell out;
  if (published_only(column)) return out;
  if (column.kind == Kind::entry_text) {
    out.text = column.name == "preset"      ? entry.preset
               : column.name == "protocol"  ? entry.protocol
               : column.name == "precision" ? std::string(name_of(entry.precision))
                                            : machine_of(entry.environment);
    return out;
  }
  if (column.kind == Kind::average) return average_cell(entry, column);
  const auto found = entry.cells.find(*column.at);
  if (found == entry.cells.end()) return out;
  const Cell& cell = found->second;
  fill(out, cell, column);
  if (board_.columns.size() > 1) out.marks = cell_marks(*column.at, cell, entry);
  if (column.metric != nullptr && column.metric->timed != Timed::no && out.value) {
    if (cell.shared.count(std::string(column.metric->name)) != 0) {
      add_mark(out.marks, note("measured while other runs ran beside"));
    }
    for (const auto& run : cell.runs) {
      if (run.threads.empty()) continue;
      add_mark(out.marks,
               note(fmt::format("{}, seed {}: continued with another number of threads: {}",
                                board_.columns[*column.at].title, run.seed, run.threads)));
    }
  }
  if (delta_ && column.metric != nullptr && column.metric->name == scored_metric(*delta_) &&
      !column.task.empty()) {
    const PublishedRow* row = delta_->row_of(entry.attention.name);
    const auto score =
        row == nullptr ? decltype(row->scores.end())() : row->scores.find(column.task);
    if (row != nullptr && score != row->scores.end() && score->second.percent && out.value) {
      out.delta = *out.value - *score->second.percent;
    }
  }
  return out;
}

void TableBuilder::add_run(TableCell& out, const RunLine& run) {
  if (out.runs.empty()) out.anchor = run_anchor(run.run_id, run.data_sha256);
  out.runs.push_back(run.run_id);
}

void TableBuilder::fill(TableCell& out, const Cell& cell, const Column& column) {
  const Summary* accuracy = cell.metric("accuracy");
  if (column.kind == Kind::metric) {
    if (const Summary* summary = cell.metric(column.metric->name)) {
      const double scale = column.metric->scale;
      out.value = scale * summary->mean;
      if (summary->sd) out.sd = scale * *summary->sd;
      out.n = summary->n;
      out.decimals = column.metric->decimals;
      for (const auto& run : cell.runs) {
        if (run.status == Status::completed) add_run(out, run);
      }
    } else if (column.metric->name == "accuracy") {
      out.text = name_of(cell.runs.front().status);  // none completed
      for (const auto& run : cell.runs) add_run(out, run);
    }
  } else if (column.kind == Kind::versus && cell.versus) {
    const Versus& versus = *cell.versus;
    out.value = 100 * versus.test.mean_difference;
    out.n = versus.test.n;
    out.sign = true;
    if (versus.test.p_t) out.suffix = format_p(*versus.test.p_t);
    if (versus.p_mcnemar) out.suffix = format_p(*versus.p_mcnemar);
    versus_rows_.insert(versus.against);
  } else if (column.kind == Kind::agreement) {
    const auto found = cell.agreement.find(column.name);
    if (found != cell.agreement.end()) out.value = 100 * found->second;
  } else if (column.kind == Kind::interval && accuracy != nullptr) {
    if (const auto interval = cell.interval()) {
      out.text = fmt::format("{:.2f}–{:.2f}", 100 * interval->low, 100 * interval->high);
    }
  } else if (column.kind == Kind::seeds) {
    out.value = accuracy == nullptr ? 0.0 : static_cast<double>(accuracy->n);
    out.decimals = 0;
  } else if (column.kind == Kind::data) {
    out.text = describe_data(board_.columns[*column.at].data);
  } else if (column.kind == Kind::verdict) {
    out.text = fmt::format("{}", fmt::join(cell.verdicts, "; "));
  }
}

TableCell TableBuilder::average_cell(const Entry& entry, const Column& column) {
  TableCell out;
  const auto average = board_.average(entry, column.tasks);
  if (!average) return out;
  out.value = 100 * average->mean;
  if (average->sd) out.sd = 100 * *average->sd;
  out.n = average->seeds;
  for (std::size_t i = 0; i < column.tasks; ++i) {
    const std::size_t at = board_.column_of(kLraTasks[i].name);
    const Cell& cell = entry.cells.at(at);
    for (const std::size_t mark : cell_marks(at, cell, entry)) add_mark(out.marks, mark);
    for (const auto& run : cell.runs) {
      if (run.status == Status::completed) add_run(out, run);
    }
  }
  const bool scored = delta_ && delta_->kind == "accuracy";
  const PublishedRow* row = scored ? delta_->row_of(entry.attention.name) : nullptr;
  const Real published = row == nullptr ? Real() : average_of(*row, column.tasks);
  if (published && comparable_average(column)) out.delta = *out.value - *published;
  return out;
}

std::vector<std::size_t> TableBuilder::cell_marks(std::size_t at, const Cell& cell,
                                                  const Entry& entry) {
  std::vector<std::size_t> marks;
  const auto of_row = row_deviations(entry);
  std::vector<std::string> own = own_deviations(at, cell);
  std::erase_if(own, [&](const std::string& text) {
    return std::any_of(of_row.begin(), of_row.end(), [&](const std::string& stated) {
      return stated == text || stated == short_setting(text);
    });
  });
  for (const auto& reason : without(cell.division_reasons, cell.deviations)) {
    own.push_back(reason);
  }
  if (cell.division == Division::free_for_all && !own.empty()) {
    add_mark(marks, note(fmt::format("free-for-all: {}", fmt::join(own, "; "))));
  }
  for (const auto& search : cell.searches) {
    add_mark(marks, note("settings chosen by a search: " + search));
    searched_ = true;
  }
  std::set<std::int64_t> seeds;
  std::set<std::string> versions;
  for (const auto& run : cell.runs) {
    versions.insert(run.version);
    if (run.status != Status::completed) {
      add_mark(marks, note(fmt::format("{}, seed {}: {} ({})", board_.columns[at].title, run.seed,
                                       name_of(run.status), run.failure)));
    } else if (!seeds.insert(run.seed).second) {
      add_mark(marks, note(fmt::format("several runs of seed {}", run.seed)));
    }
  }
  if (versions.size() > 1) {
    add_mark(marks, note(fmt::format("runs of versions {}", fmt::join(versions, ", "))));
  }
  return marks;
}

}  // namespace lra::results

#pragma once
// Results from the literature, with sources (results/published/*.json, compiled in).

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/record/record.h"
#include "results/record/tasks.h"

namespace lra::results {

// A printed score in percent, or a failure ("no better than chance").
struct PublishedScore {
  Real percent;
  bool failed = false;
};

struct PublishedRow {
  std::string model;                     // as printed
  std::optional<std::string> attention;  // the variant of this project that it is listed with
  std::map<std::string, PublishedScore, TaskBefore> scores;
  Real average_printed;
  std::string average_rule;  // "five", "six", "six_fail_50", "other"; empty if none is printed
  std::string note;
  std::string copied_from;              // key of the table it was taken over from, or empty
  std::map<std::string, double> extra;  // further printed numbers
  // metric -> length or task -> value; none for "out of memory"
  std::map<std::string, std::map<std::string, Real>> series;
};

struct Published {
  std::string key;
  std::string kind;  // "accuracy", "train_accuracy", "efficiency"
  std::string title, authors, arxiv, venue;
  Count year;
  std::vector<std::string> read_at;
  bool secondary = false;       // quoted by another source
  std::string confidence_note;  // e.g. "read from a picture"
  std::string preset;
  std::string protocol;
  std::string average;  // the rule of the printed averages
  std::vector<std::string> notes;
  std::vector<PublishedRow> rows;

  // "Tay et al. 2021", or the title where authors or year are not known.
  [[nodiscard]] std::string short_name() const;
  // "Tay et al. 2021, arXiv:2011.04006; read in ...; primary": the text of a footnote.
  [[nodiscard]] std::string source_line() const;
  // "tay2021long": first author, year, first long word of the title; empty without authors or year.
  [[nodiscard]] std::string bibtex_key() const;
  // The BibTeX entry with that key.
  [[nodiscard]] std::string bibtex() const;
  // The row of a variant; nullptr if the table has none.
  [[nodiscard]] const PublishedRow* row_of(std::string_view attention) const;
};

// Mean over LRA's first `count` tasks (5 or 6) in percent; empty unless all have a number.
[[nodiscard]] Real average_of(const PublishedRow& row, std::size_t count);

// All compiled-in tables, sorted by key, each checked by check_plausible(). Read once.
[[nodiscard]] const std::vector<Published>& published_tables();

// A compiled-in table by its key (case, `-` and `_` do not count), or one from a file if the name
// ends in .json. Throws Error(usage) with near matches for an unknown key.
[[nodiscard]] Published find_published(const std::string& name);

// Parses and checks a table. Throws Error(data) if the text violates the schema or is not
// plausible.
[[nodiscard]] Published parse_published(std::string_view text, std::string_view where);

// Obvious slips, each as one line: a fraction where percent is meant, a score far below chance, a
// printed average that contradicts its rule, a missing rule or note, a duplicate model or variant,
// memory that falls as the length grows, a speed-up that contradicts its own speeds.
[[nodiscard]] std::vector<std::string> implausible(const Published& table);

}  // namespace lra::results

#!/usr/bin/env bash
# Checks the direction of includes: engine/base <- engine <- attention <- models <- harness; tasks and
# results use engine/base alone. Within a folder each level has a row below: in engine base <- tensor
# <- compute <- tape <- ops <- fused, whose folders do not see each other; in attention definition <- attention.h <- parts <- variants; in
# tasks io <- the folder's own files <- baselines <- one folder per task; in results record <- analysis,
# published <- table <- report; in harness workers <- diagnose, study, check <- run <- measure <- suite
# <- tune, cluster <- cli. oneDNN's header is included by one file of engine, Catch2's by the
# tests' shim; a file that calls an algorithm names <algorithm>, which GCC 12's other headers bring
# along and GCC 14's do not, and one that says Approx, its scope (Catch2 3). Prints each line that
# breaks a rule; tools/check_includes_test.sh breaks each one.
#   tools/check_includes.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}"

mapfile -t sources < <(find engine attention models tasks results harness tools tests \
                         \( -name '*.h' -o -name '*.cpp' \) | sort)
awk '
# What a folder, or a file directly in one, may include, as a pattern of included paths.
BEGIN {
  allowed["engine/base"] = "engine/base/"
  allowed["engine/tensor"] = "engine/(base|tensor)/"
  allowed["engine/compute"] = "engine/(base|tensor|compute)/"
  allowed["engine/tape"] = "engine/(base|tensor|compute|tape)/"
  allowed["engine/ops"] = "engine/((base|tensor|compute|tape|ops)/|runtime[.]h)"
  allowed["engine/fused/attention"] = "engine/((base|tensor|compute|tape|ops|fused/attention)/|runtime[.]h)"
  allowed["engine/fused/features"] = "engine/((base|tensor|compute|tape|ops|fused/features)/|runtime[.]h)"
  allowed["engine/fused/scan"] = "engine/((base|tensor|compute|tape|ops|fused/scan)/|runtime[.]h)"
  allowed["engine/fused/spectral"] = "engine/((base|tensor|compute|tape|ops|fused/spectral)/|runtime[.]h)"
  allowed["engine"] = "engine/"
  allowed["attention/definition"] = "(engine/(base|tensor)|attention/definition)/"
  allowed["attention/version.h"] = "attention/version[.]h"
  allowed["attention/plugin.h"] = "attention/version[.]h"
  allowed["attention/attention.h"] = "(engine/|attention/definition/|attention/version[.]h)"
  allowed["attention/attention.cpp"] = "(engine/|attention/definition/|attention/(attention|version)[.]h)"
  allowed["attention/parts"] = "(engine/|attention/(definition|parts)/|attention/attention[.]h)"
  allowed["attention"] = "(engine/|attention/(definition|parts)/|attention/[a-z_0-9]+[.]h)"
  allowed["attention/check"] = "(engine|attention)/"
  allowed["models"] = "(engine|attention|models)/"
  allowed["tasks/io"] = "(engine/base|tasks/io)/"
  allowed["tasks"] = "(engine/base/|tasks/io/|tasks/[a-z_0-9]+[.]h)"
  allowed["results/record"] = "(engine/base|results/record)/"
  allowed["results/analysis"] = "(engine/base|results/(record|analysis))/"
  allowed["results/published"] = "(engine/base|results/(record|published))/"
  allowed["results/table"] = "(engine/base|results/(record|analysis|published|table))/"
  allowed["results/report"] = "(engine/base|results)/"
  allowed["harness"] = "(engine|attention|models|tasks|results|harness)/"
  allowed["tools"] = "(engine|attention|models|tasks|results|harness|tools)/"
  allowed["tests"] = "(engine|attention|models|tasks|results|harness|tests)/"

  # The levels inside harness, each with those that it may include besides itself.
  below["workers"] = ""
  below["diagnose"] = below["study"] = below["check"] = "workers"
  below["run"] = "workers|diagnose|study|check"
  below["measure"] = below["run"] "|run"
  below["suite"] = below["measure"] "|measure"
  below["tune"] = below["cluster"] = below["suite"] "|suite"
  below["cli"] = below["tune"] "|tune|cluster"
  for (level in below) {
    allowed["harness/" level] = "((engine|attention|models|tasks|results)|harness/(" level \
      (below[level] == "" ? "" : "|") below[level] "))/|harness/version[.]h"
  }

  # "embedded/..." is generated from a folder'\''s own data files.
  project = "^([.][.]?/)*(engine|attention|models|tasks|results|harness|tools|tests|embedded)/"
  algorithms = "(all|any|none)_of|adjacent_find|binary_search|copy_if|copy_n|count|count_if|equal_range" \
    "|find|find_if|find_if_not|for_each|generate|generate_n|includes|is_sorted|iter_swap" \
    "|max_element|merge|min_element|minmax_element|nth_element|partial_sort|partition|remove" \
    "|remove_if|replace|replace_if|reverse|rotate|search|set_difference|set_intersection" \
    "|set_union|shuffle|sort|stable_partition|stable_sort|transform|unique"
  algorithms = "std::(ranges::)?(" algorithms ")[(]"
  failed = 0
}

function complain(text) {
  print text > "/dev/stderr"
  failed = 1
}

# At the end of a file: names that it uses without what they need.
function finish() {
  if (algorithm != "" && !named_algorithm) {
    complain(file ":" algorithm "...) without #include <algorithm>")
  }
  if (approx != "" && !named_approx) {
    complain(file ":" approx "...) is lra::testing::Approx: Catch2 3 has it in no other scope")
  }
}

FNR == 1 {
  finish()
  file = FILENAME
  algorithm = approx = ""
  named_algorithm = named_approx = 0
  split(file, parts, "/")
  folder = parts[1]
  # A level of a folder has a row of its own: engine/base, results/table, ...
  level = folder "/" parts[2]
  if (level "/" parts[3] in allowed) {
    level = level "/" parts[3]
  }
  test = file ~ /_test[.]cpp$/ || file ~ /\/test_[^\/]*[.]h$/
  if (level in allowed && !(test && level == "tasks/io")) {
    folder = level
  }
  pattern = allowed[folder]
  if (folder == "tasks" && file ~ /^tasks\/.*\//) {
    # The own folder of a task and what all predictors consist of, and no other task.
    own = file
    sub(/\/[^\/]*$/, "/", own)
    pattern = pattern "|" own "|tasks/baselines/"
  }
  if (test) {
    pattern = pattern "|tests/"
    # A test may include what is above, too, within its folder.
    if (parts[1] ~ /^(engine|attention|tasks)$/ && folder != "engine/base") {
      pattern = pattern "|" parts[1] "/"
    }
  }
  pattern = "^(embedded/|" pattern ")"
  operation_header = file ~ /^engine\/(ops|fused)\/.*[.]h$/
}

/^[ \t]*#[ \t]*include[ \t]*["<]/ {
  included = $0
  sub(/^[ \t]*#[ \t]*include[ \t]*/, "", included)
  quoted = substr(included, 1, 1) == "\""
  included = substr(included, 2)
  sub(/[">].*/, "", included)
  if ((quoted || included ~ project) && included !~ pattern) {
    complain(file ":" FNR ": includes " (quoted ? "\"" included "\"" : "<" included ">") \
             ", which " folder " may not")
  }
  if (included ~ /^(oneapi\/)?dnnl/ && onednn[file]++ == 0) {
    onednn_files = onednn_files " " file
    onednn_count++
    onednn_outside += file !~ /^engine\//
  }
  if (included ~ /^catch2?\// && file !~ /^tests\/catch(_main)?[.](h|cpp)$/ && catch2[file]++ == 0) {
    catch2_files = catch2_files " " file
  }
  if (included == "algorithm") {
    named_algorithm = 1
  }
  if (file == "engine/ops.h") {
    in_ops[included] = 1
  }
}

operation_header && /^(\[\[nodiscard\]\] )?Value / {
  declares[file] = 1
}

algorithm == "" && index($0, "std::") && match($0, algorithms) {
  algorithm = FNR ":" substr($0, RSTART, RLENGTH)
}

index($0, "Approx") {
  if (index($0, "using lra::testing::Approx;")) {
    named_approx = 1
  }
  if (approx == "" && match($0, /(^|[^:A-Za-z_])Approx[(]/)) {
    approx = FNR ":" substr($0, RSTART, RLENGTH)
  }
}

END {
  finish()
  for (header in declares) {
    if (!(header in in_ops)) {
      complain(header " declares an operation; engine/ops.h does not include it")
    }
  }
  if (onednn_count > 1 || onednn_outside) {
    complain("oneDNN may be included by one file, in engine; it is by:" onednn_files)
  }
  if (catch2_files != "") {
    complain("Catch2 is included through tests/catch.h only; directly by:" catch2_files)
  }
  exit failed
}' "${sources[@]}"

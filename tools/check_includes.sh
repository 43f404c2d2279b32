#!/usr/bin/env bash
# Checks the direction of includes: engine/base <- engine <- attention <- models <- harness; tasks and
# results use engine/base alone. Within a folder each level has a row below: in engine base <- tensor
# <- compute <- tape <- ops <- fused; in attention definition <- attention.h <- parts <- variants; in
# tasks io <- the folder's own files <- baselines <- one folder a task; in results record <- analysis,
# published <- table <- report; in harness workers <- diagnose, study, check <- run <- measure <- suite
# <- tune, cluster <- cli. oneDNN's header is included by one file of engine, Catch2's by the
# tests' shim; a file that calls an algorithm names <algorithm>, which GCC 12's other headers bring
# along and GCC 14's do not, and one that says Approx, its scope (Catch2 3). Prints each line that breaks a rule.
#   tools/check_includes.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/..}"

# What a folder may include, as a pattern of included paths.
declare -A allowed=(
  [engine/base]='engine/base/'
  [engine/tensor]='engine/(base|tensor)/'
  [engine/compute]='engine/(base|tensor|compute)/'
  [engine/tape]='engine/(base|tensor|compute|tape)/'
  [engine/ops]='engine/((base|tensor|compute|tape|ops)/|runtime\.h)'
  [engine/fused]='engine/((base|tensor|compute|tape|ops|fused)/|runtime\.h)'
  [engine]='engine/'
  [attention/definition]='(engine/(base|tensor)|attention/definition)/'
  [attention/parts]='(engine/|attention/(definition|parts)/|attention/attention\.h)'
  [attention]='(engine/|attention/(definition|parts)/|attention/[a-z_0-9]+\.h)'
  [attention/check]='(engine|attention)/'
  [models]='(engine|attention|models)/'
  [tasks/io]='(engine/base|tasks/io)/'
  [tasks]='(engine/base/|tasks/io/|tasks/[a-z_0-9]+\.h)'
  [results/record]='(engine/base|results/record)/'
  [results/analysis]='(engine/base|results/(record|analysis))/'
  [results/published]='(engine/base|results/(record|published))/'
  [results/table]='(engine/base|results/(record|analysis|published|table))/'
  [results/report]='(engine/base|results)/'
  [harness]='(engine|attention|models|tasks|results|harness)/'
  [tools]='(engine|attention|models|tasks|results|harness|tools)/'
  [tests]='(engine|attention|models|tasks|results|harness|tests)/'
)

# The levels inside harness, each with those that it may include besides itself.
declare -A below=(
  [workers]='' [diagnose]='workers' [study]='workers' [check]='workers'
  [run]='workers|diagnose|study|check'
  [measure]='workers|diagnose|study|check|run'
  [suite]='workers|diagnose|study|check|run|measure'
  [tune]='workers|diagnose|study|check|run|measure|suite'
  [cluster]='workers|diagnose|study|check|run|measure|suite'
  [cli]='workers|diagnose|study|check|run|measure|suite|tune|cluster'
)
for level in "${!below[@]}"; do
  allowed[harness/$level]="((engine|attention|models|tasks|results)|harness/($level${below[$level]:+|}${below[$level]}))/|harness/version[.]h"
done

failed=0
complain() {
  echo "$1" >&2
  failed=1
}

sources=$(find engine attention models tasks results harness tools tests \
            \( -name '*.h' -o -name '*.cpp' \) | sort)
for file in $sources; do
  folder=${file%%/*}
  # A level of a folder has a row of its own: engine/base, results/table, ...
  level=${file#*/}
  level=$folder/${level%%/*}
  if [[ -n ${allowed[$level]:-} && $file != tasks/io/*_test.cpp ]]; then
    folder=$level
  fi
  # "embedded/..." is generated from a folder's own data files.
  pattern="^(${allowed[$folder]}|embedded/"
  if [[ $folder == tasks && $file == tasks/*/* ]]; then
    # A task's own folder and what all predictors are made of, and no other task's.
    pattern+="|${file%/*}/|tasks/baselines/"
  fi
  if [[ $file == *_test.cpp || $file == */test_*.h ]]; then
    pattern+='|tests/'
    # A test may include what is above, too, within its folder.
    [[ $file =~ ^(engine|attention|tasks)/ && $folder != engine/base ]] && pattern+="|${file%%/*}/"
  fi
  pattern+=')'
  while IFS=: read -r line text; do
    included=${text#*\"}
    included=${included%%\"*}
    if ! [[ $included =~ $pattern ]]; then
      complain "$file:$line: includes \"$included\", which $folder may not"
    fi
  done < <(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$file" || true)
done

for header in engine/ops/*.h engine/fused/*.h; do
  if grep -qE '^(\[\[nodiscard\]\] )?Value ' "$header" && ! grep -qF "\"$header\"" engine/ops.h; then
    complain "$header declares an operation; engine/ops.h does not include it"
  fi
done

# shellcheck disable=SC2086
onednn=$(grep -lE '#[[:space:]]*include[[:space:]]*[<"]((oneapi/)?dnnl/?|dnnl)' $sources || true)
if [ "$(wc -w <<<"$onednn")" -gt 1 ] || [[ -n $onednn && $onednn != engine/* ]]; then
  complain "oneDNN may be included by one file, in engine; it is by: ${onednn//$'\n'/ }"
fi
# shellcheck disable=SC2086
catch=$(grep -lE '#[[:space:]]*include[[:space:]]*[<"]catch2?/' $sources |
          grep -vxE 'tests/catch(_main)?\.(h|cpp)' || true)
if [ -n "$catch" ]; then
  complain "Catch2 is included through tests/catch.h only; directly by: ${catch//$'\n'/ }"
fi

algorithms='(all|any|none)_of|adjacent_find|binary_search|copy_if|copy_n|count|count_if|equal_range'
algorithms+='|find|find_if|find_if_not|for_each|generate|generate_n|includes|is_sorted|iter_swap'
algorithms+='|max_element|merge|min_element|minmax_element|nth_element|partial_sort|partition|remove'
algorithms+='|remove_if|replace|replace_if|reverse|rotate|search|set_difference|set_intersection'
algorithms+='|set_union|shuffle|sort|stable_partition|stable_sort|transform|unique'
for file in $sources; do
  uses=$(grep -noE "std::(ranges::)?($algorithms)\(" "$file" | head -n 1 || true)
  if [ -n "$uses" ] && ! grep -qE '#include <algorithm>' "$file"; then
    complain "$file:$uses...) without #include <algorithm>"
  fi
done
for file in $sources; do
  uses=$(grep -noE '(^|[^:A-Za-z_])Approx\(' "$file" | head -n 1 || true)
  if [ -n "$uses" ] && ! grep -qE 'using lra::testing::Approx;' "$file"; then
    complain "$file:$uses...) is lra::testing::Approx: Catch2 3 has it in no other scope"
  fi
done
exit $failed

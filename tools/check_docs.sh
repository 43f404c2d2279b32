#!/usr/bin/env bash
# Compares the parts of the documentation that a command generates with what it prints now:
#   <!-- begin: lra list tasks --format md -->  ...  <!-- end -->
#   <!-- begin: rows of lra table FOLDER --format md -->  ...  <!-- end -->      (the table alone)
# and tries the suites that the documents show; attention/README.md must list every operation with its
# header. Prints each difference; --fix writes the new text instead.
#   tools/check_docs.sh [--fix] [LRA]        default: build/release/bin/lra
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fix=false
if [ "${1-}" = --fix ]; then
  fix=true
  shift
fi
lra=${1:-build/release/bin/lra}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

failed=0
parts=0
while IFS= read -r file; do
  new=$scratch/new
  : >"$new"
  inside=false
  while IFS= read -r line || [ -n "$line" ]; do
    if [[ $line == '<!-- end -->' ]]; then
      inside=false
    fi
    if ! $inside; then
      printf '%s\n' "$line" >>"$new"
    fi
    if [[ $line =~ ^'<!-- begin: '(rows of )?'lra '(.*)' -->'$ ]]; then
      inside=true
      parts=$((parts + 1))
      read -ra words <<<"${BASH_REMATCH[2]}"
      if [ -n "${BASH_REMATCH[1]}" ]; then
        "$lra" "${words[@]}" | grep '^|' >>"$new"
      else
        # The list of variants links to files beside attention/README.md.
        base=$([ "$(dirname "$file")" = ./attention ] || echo attention/)
        "$lra" "${words[@]}" | sed -E "s|\\]\\(([a-z0-9_]+\\.cpp)\\)|](${base}\\1)|" >>"$new"
      fi
    fi
  done <"$file"
  if $inside; then
    echo "$file: a generated part without its <!-- end -->" >&2
    failed=1
  elif ! cmp -s "$file" "$new"; then
    if $fix; then
      cp "$new" "$file"
      echo "$file: written anew"
    else
      diff -u --label "$file" "$file" --label "what the program prints" "$new" >&2 || true
      failed=1
    fi
  fi
done < <(grep -rlE '^<!-- begin: (rows of )?lra ' --include='*.md' . | grep -v '^\./build' | sort)
# Suites that the documents show: every run of theirs must resolve.
suites=0
while IFS= read -r file; do
  rm -f "$scratch"/*.json
  awk -v folder="$scratch" '
    /^```json$/ { inside = 1; text = ""; next }
    /^```$/ && inside {
      inside = 0
      if (text ~ /"schema": "lra-suite\/1"/) printf "%s", text > (folder "/" ++count ".json")
    }
    inside { text = text $0 "\n" }' "$file"
  for suite in "$scratch"/*.json; do
    [ -e "$suite" ] || continue
    suites=$((suites + 1))
    if ! "$lra" tune "$suite" --trials 1 --dry-run >/dev/null; then
      echo "$file: suite $suites does not resolve" >&2
      failed=1
    fi
  done
done < <(grep -rl '"schema": "lra-suite/1"' --include='*.md' . | grep -v '^\./build' | sort)
# The operations that engine/ops.h offers, as lines "name header", against those of the list.
while IFS= read -r header; do
  sed -nE "s|^\\[\\[nodiscard\\]\\] .* (operator)?([^ (]+)\\(.*|\\2 ${header#engine/}|p" "$header"
done < <(sed -n 's/^#include "\(.*\)"$/\1/p' engine/ops.h) | sort -u >"$scratch/declared"
awk -F ' *[|] *' '
  /^## / { inside = $0 == "## Operations" }
  inside && /^[|] `/ {
    count = split($2, names, "` *`?")
    gsub("`", "", $5)
    for (i = 1; i <= count; i++) {
      sub(/[(].*/, "", names[i])
      if (names[i] != "") print names[i], $5
    }
  }' attention/README.md | sort >"$scratch/listed"
if ! diff -u --label "attention/README.md, Operations" "$scratch/listed" \
       --label "declared in engine/ops.h's headers" "$scratch/declared" >&2; then
  failed=1
fi
if [ "$suites" -eq 0 ]; then
  echo "no suites found in the documents" >&2
  failed=1
fi
if [ "$parts" -eq 0 ]; then
  echo "no generated parts found" >&2
  failed=1
fi
exit $failed

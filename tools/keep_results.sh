#!/usr/bin/env bash
# Copies the finished runs of a folder of the built-in suite NAME into results/measured/NAME and
# prints its tables again: result.json and metrics.jsonl of each run that completed, the suite,
# leaderboard.json, table.md, the pictures and report.html that are there; of a bench its records and
# efficiency.md. Existing records are kept unless their run has changed. A folder's file `tables` lists further
# tables, one per line: the file's name, and the command of `lra` with {} for the folder.
#   tools/keep_results.sh NAME FOLDER [LRA]      e.g. tools/keep_results.sh arena runs/arena
#   tools/keep_results.sh --check [LRA]          committed tables and pictures equal what the records give
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The tables of a folder of records: NAME of the file, command of `lra` with {} for the folder.
tables() {
  if ls "$1"/bench-*.json >/dev/null 2>&1; then
    echo "efficiency.md table {} --efficiency"
  fi
  if ls "$1"/runs/*/result.json >/dev/null 2>&1; then
    printf '%s\n' "table.md table {} --format md" "leaderboard.json table {} --format leaderboard"
  fi
  if [ -f "$1/tables" ]; then cat "$1/tables"; fi
}

# Draws the pictures of a folder of records, if it has any, into another folder: with the commands in
# `pictures`, a name and the arguments of lra a line, else with lra report.
draw() {
  local picture arguments
  ls "$1"/*.svg >/dev/null 2>&1 || return 0
  if [ ! -f "$1/pictures" ]; then
    "$lra" report "$1" --out "$2/report.html" --pictures "$2" >/dev/null
    return
  fi
  while read -r picture arguments; do
    # shellcheck disable=SC2086
    "$lra" ${arguments/\{\}/"$2/$picture"} >/dev/null
  done <"$1/pictures"
}

if [ "${1-}" = --check ]; then
  lra=${2:-build/release/bin/lra}
  failed=0
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  for folder in results/measured/*/; do
    while read -r file arguments; do
      # shellcheck disable=SC2086
      "$lra" ${arguments/\{\}/"$folder"} >"$scratch/$file"
      if ! cmp -s "$folder/$file" "$scratch/$file"; then
        diff -u --label "$folder$file" "$folder/$file" --label "what its records give" \
          "$scratch/$file" >&2 || true
        failed=1
      fi
    done < <(tables "$folder")
    if [ -f "${folder}report.html" ]; then
      # Its links are relative to the page.
      "$lra" report "${folder%/}" --out "${folder}report.new.html" >/dev/null
      if ! cmp -s "${folder}report.html" "${folder}report.new.html"; then
        echo "keep_results: ${folder}report.html is not what lra report writes today" >&2
        failed=1
      fi
      rm -f "${folder}report.new.html"
    fi
    draw "$folder" "$scratch"
    for picture in "$folder"*.svg; do
      if [ -f "$picture" ] && ! cmp -s "$picture" "$scratch/${picture##*/}"; then
        echo "keep_results: $picture is not what lra draws today" >&2
        failed=1
      fi
    done
  done
  turns=results/measured/pytorch
  if command -v python3 >/dev/null; then
    for machine in "" -zen3; do
      tools/peer/compare.py --table "$turns/turns$machine.jsonl" | diff -u "$turns/table$machine.md" - >&2 || failed=1
    done
    tools/check_studies.py results/measured/*/separation*.json || failed=1
  else
    echo "keep_results: the tables of $turns and of the studies not compared, there is no python3"
  fi
  exit $failed
fi

name=$1
from=$2
lra=${3:-build/release/bin/lra}
to=results/measured/$name
mkdir -p "$to/runs"
for bench in "$from"/bench-*.json; do
  if [ -f "$bench" ]; then sed '/^    "node": "/d' "$bench" >"$to/${bench##*/}"; fi
done
for run in "$from"/runs/*/; do
  id=$(basename "$run")
  [ -f "$run/result.json" ] || continue
  grep -q '"status": "completed"' "$run/result.json" || continue
  mkdir -p "$to/runs/$id"
  for file in result.json metrics.jsonl; do
    # Records of a cluster's jobs name their node, which is not published.
    sed '/^    "node": "/d' "$run/$file" >"$to/runs/$id/$file.new"
    if cmp -s "$to/runs/$id/$file.new" "$to/runs/$id/$file"; then
      rm "$to/runs/$id/$file.new"
    else
      mv "$to/runs/$id/$file.new" "$to/runs/$id/$file"
    fi
  done
done
cp "harness/suites/$name.json" "$to/suite.json"
while read -r file arguments; do
  # shellcheck disable=SC2086
  "$lra" ${arguments/\{\}/"$to"} >"$to/$file"
done < <(tables "$to")
if [ -f "$to/report.html" ]; then "$lra" report "$to" --out "$to/report.html" >/dev/null; fi
drawn=$(mktemp -d)
trap 'rm -rf "$drawn"' EXIT
draw "$to" "$drawn"
for picture in "$to"/*.svg; do
  if [ -f "$picture" ]; then cp "$drawn/${picture##*/}" "$picture"; fi
done
rmdir --ignore-fail-on-non-empty "$to/runs"
echo "$to: $(find "$to" -name result.json | wc -l) runs, $(find "$to" -name 'bench-*.json' | wc -l) benches"

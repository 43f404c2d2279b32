#!/usr/bin/env bash
# Builds the readers' fuzz targets (libFuzzer with address and undefined-behaviour sanitizers) and
# runs each for a time from its seeds. A finding is left as a file in build/fuzz/findings.
# tools/fuzz.sh [--seconds S] [TARGET...], e.g. tools/fuzz.sh --seconds 600 tsv pairs
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/packages.sh
source tools/build.sh

seconds=60
if [ "${1:-}" = --seconds ]; then
  seconds=$2
  shift 2
fi
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
  for seeds in */fuzz_seeds/*/; do targets+=("$(basename "$seeds")"); done
fi

need_packages "${build_packages[@]}" "${fuzz_packages[@]}"
build_preset fuzz "${targets[@]/#/fuzz_}"

failed=()
mkdir -p build/fuzz/findings
for target in "${targets[@]}"; do
  corpus=build/fuzz/corpus/$target
  log=build/fuzz/$target.log
  mkdir -p "$corpus"
  # Leak checks are off: at each input they take longer than the input itself.
  if ! ASAN_OPTIONS=detect_leaks=0 "build/fuzz/fuzz/fuzz_$target" "$corpus" \
    */fuzz_seeds/"$target" -max_total_time="$seconds" -max_len=16384 -timeout=10 \
    -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="build/fuzz/findings/$target-" \
    >"$log" 2>&1; then
    failed+=("$target")
  fi
  printf '%-12s %12s inputs in %s s, %s features\n' "$target" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$seconds" \
    "$(grep -o 'ft: [0-9]*' "$log" | tail -1 | cut -d' ' -f2)"
done
if [ ${#failed[@]} -ne 0 ]; then
  echo "findings in: ${failed[*]} (build/fuzz/findings, build/fuzz/TARGET.log)" >&2
  exit 1
fi

#!/usr/bin/env bash
# Runs clang-tidy on the sources that differ from the main branch (changes.sh), or on all of them
# where there is nothing to compare with (none with --changed). FILEs are checked instead, or, with
# --changed, after those that differ. build/dev, configured here, tells how each file is compiled by
# itself. Versions differ in their checks: 14 (Debian 12) decides, others are not asked. Findings in the
# files that tidy_exceptions.txt lists are shown but do not fail; a listed file without findings does,
# so that the list shrinks. Files that are not reached within --seconds are listed and fail, unless
# --partial says that this is expected.
#   tools/check_tidy.sh [--all | --changed] [--seconds N] [--partial] [FILE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

required=14
seconds=900
mode=default
partial=false
files=()
while [ $# -gt 0 ]; do
  case "$1" in
    --all) mode=all ;;
    --changed) mode=changed ;;
    --seconds) seconds=$2; shift ;;
    --partial) partial=true ;;
    -*)
      echo "usage: tools/check_tidy.sh [--all | --changed] [--seconds N] [--partial] [FILE...]" >&2
      exit 2
      ;;
    *) files+=("$1") ;;
  esac
  shift
done

tool=$(command -v "clang-tidy-$required" || command -v clang-tidy || true)
if [ -z "$tool" ] || ! [[ $("$tool" --version) =~ version\ $required\. ]]; then
  echo "tidy: skipped, there is no clang-tidy $required here (it comes with Debian 12)"
  exit 0
fi

source tools/build.sh
source tools/changes.sh
configure_preset dev
exceptions=$(sed '/^#/d; /^$/d' tools/tidy_exceptions.txt)

if [ ${#files[@]} -eq 0 ] || [ $mode != default ]; then
  known=$(sed -n 's|^ *"file": "\(.*\)",\{0,1\}$|\1|p' build/dev/compile_commands.json |
            sed "s|^$PWD/||" | grep -v '^build/\|^/' | sort -u)
  chosen=()
  if [ $mode = all ] || { [ $mode = default ] && [ -z "$(change_base)" ]; }; then
    # Newest first.
    # shellcheck disable=SC2086
    mapfile -t chosen < <(ls -t $known)
  else
    # A changed header is seen through the source beside it.
    mapfile -t chosen < <(changed_files '*.cpp' '*.h' | sed 's|\.h$|.cpp|' | sort -u |
                            grep -Fxf - <(echo "$known"))
  fi
  mapfile -t files < <(printf '%s\n' "${chosen[@]}" "${files[@]}" | awk 'NF && !seen[$0]++')
fi
echo "tidy: ${#files[@]} files, at most $seconds s"

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
check_one() {  # FILE RESULTS DEADLINE TOOL
  local log=$2/${1//\//%}
  if [ "$(date +%s)" -ge "$3" ]; then
    return 0
  fi
  # Files are compiled by GCC, which knows more warnings.
  if "$4" -p build/dev --quiet --extra-arg=-Wno-unknown-warning-option "$1" \
       >"$log.out" 2>"$log.err"; then
    touch "$log.done"
  else
    cat "$log.out" "$log.err"
    touch "$log.failed"
  fi
}
export -f check_one
deadline=$(($(date +%s) + seconds))
printf '%s\n' "${files[@]}" |
  xargs -r -P "$(nproc)" -I{} bash -c 'check_one "$@"' _ {} "$results" "$deadline" "$tool"

status=0
clean=0
found=0
late=()
for file in "${files[@]}"; do
  log=$results/${file//\//%}
  listed=false
  if grep -qxF "$file" <<<"$exceptions"; then
    listed=true
  fi
  if [ -e "$log.failed" ]; then
    found=$((found + 1))
    $listed || status=1
  elif [ -e "$log.done" ]; then
    clean=$((clean + 1))
    if $listed; then
      echo "tidy: $file has no findings: remove it from tools/tidy_exceptions.txt" >&2
      status=1
    fi
  else
    late+=("$file")
  fi
done
echo "tidy: $clean clean, $found with findings, ${#late[@]} not reached in $seconds s"
if [ ${#late[@]} -gt 0 ]; then
  printf 'tidy: not reached: %s\n' "${late[@]}"
  $partial || status=1
fi
exit $status

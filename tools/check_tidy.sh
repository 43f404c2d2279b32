#!/usr/bin/env bash
# Runs clang-tidy on the sources that this branch changes against the main branch, or on all of them
# where there is nothing to compare with (none with --changed); newest first, within a limit of time.
# build/dev, configured here, tells how each file is compiled by itself. Versions differ in their
# checks: 14 (Debian 12) decides, others are not asked. Findings in the files that tidy_exceptions.txt
# lists are shown but do not fail; a listed file without findings does, so that the list shrinks.
#   tools/check_tidy.sh [--all | --changed] [--seconds N] [FILE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

required=14
seconds=900
all=0
files=()
while [ $# -gt 0 ]; do
  case "$1" in
    --all) all=1 ;;
    --changed) all=-1 ;;
    --seconds) seconds=$2; shift ;;
    -*) echo "usage: tools/check_tidy.sh [--all | --changed] [--seconds N] [FILE...]" >&2; exit 2 ;;
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
configure_preset dev
exceptions=$(sed '/^#/d; /^$/d' tools/tidy_exceptions.txt)

# The commit that this branch left the main branch at; nothing if unknown or if it is HEAD itself.
merge_base() {
  local branch base
  for branch in origin/main origin/HEAD main; do
    if base=$(git merge-base HEAD "$branch" 2>/dev/null); then
      if [ "$base" != "$(git rev-parse HEAD)" ]; then
        echo "$base"
      fi
      return
    fi
  done
}

if [ ${#files[@]} -eq 0 ]; then
  known=$(sed -n 's|^ *"file": "\(.*\)",\{0,1\}$|\1|p' build/dev/compile_commands.json |
            sed "s|^$PWD/||" | grep -v '^build/\|^/' | sort -u)
  base=
  if [ $all -le 0 ]; then
    base=$(merge_base)
  fi
  if [ -n "$base" ]; then
    changed=$(git diff --name-only --diff-filter=d "$base" -- '*.cpp' '*.h')
    # A changed header is seen through the source beside it.
    mapfile -t files < <(sed 's|\.h$|.cpp|' <<<"$changed" | sort -u | grep -Fxf - <(echo "$known"))
  elif [ $all -ge 0 ]; then
    # shellcheck disable=SC2086
    mapfile -t files < <(ls -t $known)
  fi
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

count() {
  find "$results" -name "*.$1" | wc -l
}
echo "tidy: $(count done) clean, $(count failed) with findings," \
     "$((${#files[@]} - $(count done) - $(count failed))) not reached in time"
status=0
for file in "${files[@]}"; do
  listed=false
  if grep -qxF "$file" <<<"$exceptions"; then
    listed=true
  fi
  if [ -e "$results/${file//\//%}.failed" ] && ! $listed; then
    status=1
  elif [ -e "$results/${file//\//%}.done" ] && $listed; then
    echo "tidy: $file has no findings: remove it from tools/tidy_exceptions.txt" >&2
    status=1
  fi
done
exit $status

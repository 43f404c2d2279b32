#!/usr/bin/env bash
# Checks that each source compiles by itself: the unity build hides an #include that is missing behind
# the sources before it. Nothing is optimised or written; what the build generates is taken from
# build/release. Installed headers are compiled one by one by tools/package_test, too.
#   tools/check_sources.sh [--all | --headers] [--changed] [FILE...]
#     (default)   every source of the program
#     --all       also the tests, the Python module and the tools (the packages of those are needed)
#     --headers   every header in place of the sources
#     --changed   only those of them that differ from the main branch (changes.sh)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/changes.sh

kind=program
changed=false
files=()
while [ $# -gt 0 ]; do
  case "$1" in
    --all) kind=all ;;
    --headers) kind=headers ;;
    --changed) changed=true ;;
    -*) echo "usage: tools/check_sources.sh [--all | --headers] [--changed] [FILE...]" >&2; exit 2 ;;
    *) files+=("$1") ;;
  esac
  shift
done

if [ ${#files[@]} -eq 0 ]; then
  folders=(engine attention models tasks results harness tools tests)
  case $kind in
    program) found=$(find "${folders[@]}" -name '*.cpp' ! -name '*_test.cpp' ! -path 'tests/*' \
                       ! -path 'tools/*/*' ! -name reduce_golden.cpp) ;;
    # The package test compiles what is in its folder, against the installed headers.
    all) found=$(find "${folders[@]}" -name '*.cpp' ! -path 'tools/package_test/*') ;;
    headers) found=$(find "${folders[@]}" -name '*.h') ;;
  esac
  if $changed; then
    found=$(grep -Fxf <(changed_files '*.cpp' '*.h') <<<"$found" || true)
  fi
  mapfile -t files < <(sort <<<"$found" | sed '/^$/d')
fi

# The paths that CMake gives to the tests, and where Python's headers are.
options=(-std=c++20 -fsyntax-only -DFMT_SHARED -DLRA_HOSTILE=1 -I.
         -Ibuild/release/{engine/base,models,results,harness}
         -DLRA_{CHROMIUM,FAULTY_PLUGIN,HOSTILE_PLUGIN_{1,2,3,4},MANY_CPUS,PROGRAM,SOURCE_DIR}'=""')
if [ -x /usr/bin/python3-config ]; then
  read -ra python < <(/usr/bin/python3-config --includes)
  options+=("${python[@]}")
fi
compile_one() {  # FILE COMPILER OPTION...
  # A header is included: as the main file it makes GCC warn of its #pragma once.
  if [[ $1 == *.h ]]; then
    printf '#include "%s"\n' "$1" | "${@:2}" -x c++ -
  else
    "${@:2}" "$1"
  fi || { echo "$1 does not compile by itself" >&2; return 1; }
}
export -f compile_one
# Without files printf would print one name, the empty one.
if [ ${#files[@]} -gt 0 ]; then
  printf '%s\0' "${files[@]}" |
    xargs -0 -P "$(nproc)" -I{} bash -c 'compile_one "$@"' _ {} "${CXX:-g++}" "${options[@]}"
fi
echo "sources: ${#files[@]} compile by themselves"

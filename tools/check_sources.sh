#!/usr/bin/env bash
# Checks that each source compiles by itself: the unity build hides an #include that is missing behind
# the sources before it. Nothing is optimised or written; what the build generates is taken from
# build/release. Installed headers are compiled one by one by tools/package_test, too.
#   tools/check_sources.sh [--all | --headers | --tests] [--changed] [FILE...]
#     (default)   every source of the program
#     --all       also the tests, the Python module and the tools (the packages of those are needed)
#     --headers   every header in place of the sources
#     --tests     every test in place of the sources
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
    --tests) kind=tests ;;
    --changed) changed=true ;;
    -*) echo "usage: tools/check_sources.sh [--all | --headers | --tests] [--changed] [FILE...]" >&2; exit 2 ;;
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
    tests) found=$(find "${folders[@]}" \( -name '*_test.cpp' -o -path 'tests/*.cpp' \)) ;;
  esac
  # Without a commit to compare with, everything counts as changed.
  if $changed && [ -n "$(change_base)" ]; then
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
# The largest headers of libraries, precompiled: a third of the time. Only for files that include them,
# if through a header of the project, so that nothing is there that a file does not ask for.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
compiler=${CXX:-g++}
libraries=(fmt/format.h nlohmann/json.hpp)
closure() {  # prints "SET FILE" for each FILE; SET has a letter for each of the libraries it includes
  python3 - "${libraries[@]}" -- "$@" <<'END'
import functools, pathlib, re, sys
end = sys.argv.index("--")
libraries, files = sys.argv[1:end], sys.argv[end + 1:]

@functools.cache
def included(path):
    if not path.is_file():
        return frozenset()
    names = re.findall(r'^#include [<"]([^>"]+)', path.read_text(), re.M)
    found = {name for name in names if name in libraries}
    return frozenset(found.union(*(included(pathlib.Path(name)) for name in names)))

for file in files:
    print("".join("x" if name in included(pathlib.Path(file)) else "-" for name in libraries), file)
END
}

compile_one() {  # SET FILE COMPILER OPTION...
  local precompiled=()
  if [ -f "$scratch/$1.h.gch" ]; then
    precompiled=(-include "$scratch/$1.h")
  fi
  # A header is included: as the main file it makes GCC warn of its #pragma once.
  if [[ $2 == *.h ]]; then
    printf '#include "%s"\n' "$2" | "${@:3}" "${precompiled[@]}" -x c++ -
  else
    "${@:3}" "${precompiled[@]}" "$2"
  fi || { echo "$2 does not compile by itself" >&2; return 1; }
}
export -f compile_one
export scratch

if [ ${#files[@]} -gt 0 ]; then
  closure "${files[@]}" >"$scratch/files"
  for set in $(cut -d' ' -f1 "$scratch/files" | sort -u); do
    for i in "${!libraries[@]}"; do
      if [ "${set:i:1}" = x ]; then echo "#include <${libraries[i]}>" >>"$scratch/$set.h"; fi
    done
    if [ -f "$scratch/$set.h" ] && [ "$(grep -c "^$set " "$scratch/files")" -gt 9 ]; then
      "$compiler" "${options[@]/-fsyntax-only/-O0}" -x c++-header "$scratch/$set.h" -o "$scratch/$set.h.gch"
    fi
  done
  xargs -P "$(nproc)" -L1 bash -c 'compile_one "$@" '"$(printf '%q ' "$compiler" "${options[@]}")" _ <"$scratch/files"
fi
echo "sources: ${#files[@]} compile by themselves"

#!/usr/bin/env bash
# Checks that each source compiles by itself: the unity build hides an #include that is missing behind
# the sources before it. Nothing is optimised or written; what the build generates is taken from
# build/release. Headers are compiled one by one by tools/package_test.
#   tools/check_sources.sh [FILE...]      (default: every source but the tests)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [ $# -gt 0 ]; then
  files=("$@")
else
  mapfile -t files < <(find engine attention models tasks results harness tools/lra.cpp \
                         -name '*.cpp' ! -name '*_test.cpp' | sort)
fi
generated=(-Ibuild/release/{engine/base,models,results,harness})
printf '%s\0' "${files[@]}" |
  xargs -0 -r -n 1 -P "$(nproc)" "${CXX:-g++}" -std=c++20 -fsyntax-only -DFMT_SHARED -I. "${generated[@]}"
echo "sources: ${#files[@]} compile by themselves"

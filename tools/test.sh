#!/usr/bin/env bash
# Installs what is missing, builds everything and runs every default test (all but the labels slow
# and perf). Arguments go to ctest, e.g. tools/test.sh -R softmax
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/packages.sh
source tools/build.sh

need_packages "${build_packages[@]}" "${test_packages[@]}"
echo "== building everything (release)"
build_preset release
echo "== testing"
ctest --preset release --parallel "$(nproc)" "$@"

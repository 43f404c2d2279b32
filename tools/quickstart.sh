#!/usr/bin/env bash
# From a bare Debian 12 or 13 to a comparison table: installs what is missing, builds the program
# and runs the suite `quick` on data that it generates itself.
#   tools/quickstart.sh [--out DIR]     default: runs/quick
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/packages.sh

out=runs/quick
case "$#:${1-}" in
  0:) ;;
  2:--out) out=$2 ;;
  *) echo "usage: tools/quickstart.sh [--out DIR]" >&2; exit 2 ;;
esac

need_packages "${build_packages[@]}" "${test_packages[@]}"
source tools/build.sh
echo "== building lra (release; some minutes on two cores)"
build_preset release lra lra_pages
echo "== build/release/bin/lra run quick --out $out"
exec build/release/bin/lra run quick --out "$out"

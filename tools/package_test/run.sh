#!/usr/bin/env bash
# Installs a build into a scratch folder and uses it from outside the tree: find_package(lra), a
# program on the libraries, a plugin for the installed program.
#   tools/package_test/run.sh BUILD_DIR [--headers]     --headers: also compile each header alone
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1
headers=OFF
if [ "${2-}" = --headers ]; then
  headers=ON
fi
# The example in the README is this file.
example=$(sed -n '/^```cpp$/,/^```$/p' "$here/../../README.md" | sed '1d;$d')
if [ "$example" != "$(cat "$here/squared_relu.cpp")" ]; then
  echo "package: README.md and tools/package_test/squared_relu.cpp differ" >&2
  exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$build" --prefix "$scratch/prefix" >/dev/null
cmake -S "$here" -B "$scratch/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCHECK_HEADERS=$headers >/dev/null
cmake --build "$scratch/build"
"$scratch/build/outside"

lra=$scratch/prefix/bin/lra
plugin=$scratch/build/libsquared_relu.so
"$lra" --plugin "$plugin" list attention | grep squared_relu
"$lra" --plugin "$plugin" check gradients squared_relu
if "$lra" list attention | grep squared_relu; then
  echo "package: squared_relu is there without the plugin" >&2
  exit 1
fi
echo "package: ok"

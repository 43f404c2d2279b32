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
"$lra" --plugin "$plugin" bench --attention squared_relu --n 256 --batch 4 --seconds 0.1
"$lra" --plugin "$plugin" train --task listops --attention squared_relu --preset tiny \
  --out "$scratch/run" --set data.train=50 --set data.val=10 --set data.test=10 \
  --set train.steps=3 --set task.min_tokens=20 --set task.max_tokens=100
if "$lra" list attention | grep squared_relu; then
  echo "package: squared_relu is there without the plugin" >&2
  exit 1
fi
echo "package: ok"

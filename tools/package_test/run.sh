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
# The example in attention/README.md is this file.
example=$(sed -n '/^```cpp$/,/^```$/p' "$here/../../attention/README.md" | sed '1d;$d')
if [ "$example" != "$(cat "$here/squared_relu.cpp")" ]; then
  echo "package: attention/README.md and tools/package_test/squared_relu.cpp differ" >&2
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
"$lra" --plugin "$plugin" check variant squared_relu
"$lra" --plugin "$plugin" bench --attention squared_relu --n 256 --batch 4 --seconds 0.1
"$lra" --plugin "$plugin" train --task listops --attention squared_relu --preset tiny \
  --out "$scratch/run" --set data.train=50 --set data.val=10 --set data.test=10 \
  --set train.steps=3 --set task.min_tokens=20 --set task.max_tokens=100
cat >"$scratch/suite.json" <<'SUITE'
{"schema": "lra-suite/1", "name": "outside", "tasks": ["listops"],
 "attentions": ["squared_relu", "linear"], "preset": "tiny", "seeds": [1],
 "settings": {"data.train": 50, "data.val": 10, "data.test": 10, "train.steps": 3,
              "task.min_tokens": 20, "task.max_tokens": 100}}
SUITE
"$lra" --plugin "$plugin" run "$scratch/suite.json" --out "$scratch/suite"
"$lra" table "$scratch/suite" | grep "Squared ReLU"

# A plugin that was built against another version is refused in one line, before its code runs.
mkdir -p "$scratch/old/attention"
cp "$scratch/prefix/include/lra/attention/plugin.h" "$scratch/old/attention"
sed 's/interface [0-9]*"/interface of long ago"/' \
  "$scratch/prefix/include/lra/attention/version.h" >"$scratch/old/attention/version.h"
cat >"$scratch/old/old.cpp" <<'OLD'
#include <cstdlib>

#include "attention/plugin.h"
LRA_PLUGIN();
static const int ran = (std::abort(), 0);
OLD
c++ -std=c++20 -shared -fPIC -I "$scratch/old" -o "$scratch/libold.so" "$scratch/old/old.cpp"
code=0
"$lra" --plugin "$scratch/libold.so" list attention >/dev/null 2>"$scratch/refused" || code=$?
cat "$scratch/refused"
if [ $code != 2 ] || [ "$(wc -l <"$scratch/refused")" != 1 ] ||
  ! grep -q "interface of long ago.*build it again" "$scratch/refused"; then
  echo "package: a plugin for another version is not refused as it should be" >&2
  exit 1
fi

# So is one whose variant has a name that is taken.
sed 's/squared_relu/softmax/' "$here/squared_relu.cpp" >"$scratch/taken.cpp"
printf '#include "attention/plugin.h"\nLRA_PLUGIN();\n' >>"$scratch/taken.cpp"
c++ -std=c++20 -shared -fPIC -DFMT_HEADER_ONLY -I "$scratch/prefix/include/lra" \
  -o "$scratch/libtaken.so" "$scratch/taken.cpp"
code=0
"$lra" --plugin "$scratch/libtaken.so" list attention >/dev/null 2>"$scratch/refused" || code=$?
cat "$scratch/refused"
if [ $code != 2 ] || ! grep -q "'softmax' is registered twice" "$scratch/refused"; then
  echo "package: a plugin with a name that is taken is not refused as it should be" >&2
  exit 1
fi

# One that cannot be loaded is refused in one line: cut, an initialiser that throws, missing symbols.
refuse_plugin() {  # FILE PATTERN
  code=0
  "$lra" --plugin "$1" list attention >/dev/null 2>"$scratch/refused" || code=$?
  cat "$scratch/refused"
  if [ $code != 3 ] || [ "$(wc -l <"$scratch/refused")" != 1 ] || ! grep -q "$2" "$scratch/refused"; then
    echo "package: $1 is not refused as it should be" >&2
    exit 1
  fi
}
build_plugin() {  # NAME, source on stdin
  { printf '#include "attention/plugin.h"\nLRA_PLUGIN();\n'; cat; } >"$scratch/$1.cpp"
  c++ -std=c++20 -shared -fPIC -I "$scratch/prefix/include/lra" -o "$scratch/lib$1.so" "$scratch/$1.cpp"
}
head -c 5000 "$plugin" >"$scratch/libcut.so"
refuse_plugin "$scratch/libcut.so" "not a shared library, or cut"
build_plugin throws <<<'static const int ran = (throw 7, 0);'
refuse_plugin "$scratch/libthrows.so" "its initialiser threw an exception"
build_plugin lacks <<<'void nowhere(); static const int ran = (nowhere(), 0);'
refuse_plugin "$scratch/liblacks.so" "undefined symbol"

# The skeleton of `lra new attention` builds and passes the generic checks as it is.
"$lra" new attention fresh --plugin --out "$scratch/fresh"
cmake -S "$scratch/fresh" -B "$scratch/fresh/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Wpedantic -Werror" >/dev/null
cmake --build "$scratch/fresh/build"
"$lra" --plugin "$scratch/fresh/build/libfresh.so" check gradients fresh
for wrong in "softmax --plugin" "Fresh --plugin" "fre__sh --plugin" "other --out $scratch"; do
  code=0
  # shellcheck disable=SC2086
  (cd "$scratch" && "$lra" new attention $wrong 2>/dev/null) || code=$?
  if [ $code != 2 ]; then
    echo "package: lra new attention $wrong exits $code instead of 2" >&2
    exit 1
  fi
done
code=0
"$lra" new attention fresh --plugin --out "$scratch/fresh" 2>/dev/null || code=$?
if [ $code != 3 ]; then
  echo "package: lra new attention exits $code instead of 3 where a file is there" >&2
  exit 1
fi

if "$lra" list attention | grep squared_relu; then
  echo "package: squared_relu is there without the plugin" >&2
  exit 1
fi
echo "package: ok"

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
# The examples in the READMEs are these files.
same_example() {  # FOLDER FILE
  example=$(sed -n '/^```cpp$/,/^```$/p' "$here/../../$1/README.md" | sed '1d;$d')
  if [ "$example" != "$(cat "$here/$2")" ]; then
    echo "package: $1/README.md and tools/package_test/$2 differ" >&2
    exit 1
  fi
}
same_example attention squared_relu.cpp
same_example tasks first_again.cpp

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$build" --prefix "$scratch/prefix" >/dev/null
# What an installed header includes is installed, too.
(cd "$scratch/prefix/include/lra" && find . -name '*.h' -printf '%P\n' | sort >"$scratch/headers" &&
  xargs grep -hoE '^ *# *include *"[^"]+"' <"$scratch/headers") | cut -d'"' -f2 | sort -u >"$scratch/included"
open=$(comm -13 "$scratch/headers" "$scratch/included")
if [ -n "$open" ]; then
  echo "package: installed headers include what is not installed: ${open//$'\n'/ }" >&2
  exit 1
fi
echo "package: $(wc -l <"$scratch/headers") headers"
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

# The same with a task.
task_plugin=$scratch/build/libfirst_again.so
"$lra" --plugin "$task_plugin" list tasks | grep first_again
"$lra" --plugin "$task_plugin" check task first_again
"$lra" --plugin "$task_plugin" data check first_again --train 100 --val 20 --test 50 --baselines |
  grep "solution *100.00 %"
"$lra" --plugin "$task_plugin" --plugin "$plugin" train --task first_again --attention squared_relu \
  --preset tiny --out "$scratch/tasks/first_again" --set data.train=50 --set data.val=10 \
  --set data.test=10 --set train.steps=3
"$lra" --plugin "$task_plugin" --plugin "$plugin" evaluate "$scratch/tasks/first_again" --lengths 1,2
"$lra" table "$scratch/tasks" | grep "First again"

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

# A plugin whose variant has an existing name is refused as well.
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
refuse_plugin "$scratch/libcut.so" "not a shared library, or truncated"
build_plugin throws <<<'static const int ran = (throw 7, 0);'
refuse_plugin "$scratch/libthrows.so" "its initialiser threw an exception"
build_plugin lacks <<<'void nowhere(); static const int ran = (nowhere(), 0);'
refuse_plugin "$scratch/liblacks.so" "undefined symbol"

# The unchanged skeleton of `lra new attention` builds and passes the generic checks.
"$lra" new attention fresh --plugin --out "$scratch/fresh"
cmake -S "$scratch/fresh" -B "$scratch/fresh/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Wpedantic -Werror" >/dev/null
cmake --build "$scratch/fresh/build"
"$lra" --plugin "$scratch/fresh/build/libfresh.so" check gradients fresh
# So does that of `lra new task`.
"$lra" new task fresh_task --plugin --out "$scratch/fresh_task"
cmake -S "$scratch/fresh_task" -B "$scratch/fresh_task/build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Wpedantic -Werror" >/dev/null
cmake --build "$scratch/fresh_task/build"
"$lra" --plugin "$scratch/fresh_task/build/libfresh_task.so" check task fresh_task
for wrong in "attention softmax --plugin" "attention Fresh --plugin" "attention fre__sh --plugin" \
  "attention other --out $scratch" "task listops --plugin" "task Fresh" "task other --out $scratch"; do
  code=0
  # shellcheck disable=SC2086
  (cd "$scratch" && "$lra" new $wrong 2>/dev/null) || code=$?
  if [ $code != 2 ]; then
    echo "package: lra new $wrong exits $code instead of 2" >&2
    exit 1
  fi
done
for again in "attention fresh" "task fresh_task"; do
  code=0
  # shellcheck disable=SC2086
  "$lra" new $again --plugin --out "$scratch/${again#* }" 2>/dev/null || code=$?
  if [ $code != 3 ]; then
    echo "package: lra new $again exits $code instead of 3 where a file is there" >&2
    exit 1
  fi
done

if "$lra" list attention | grep squared_relu; then
  echo "package: squared_relu is there without the plugin" >&2
  exit 1
fi
echo "package: ok"

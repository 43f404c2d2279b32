#!/usr/bin/env bash
# Tests tools/check_includes.sh on a scratch tree: for every row of its table an include that is right
# and one that is wrong, quoted and in angle brackets, and one fault against each of its other rules.
set -euo pipefail
check=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/check_includes.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Row, a path that it may include, one that it may not.
rows='
engine/base            engine/base/error.h           engine/tensor/tensor.h
engine/tensor          engine/base/error.h           engine/compute/profile.h
engine/compute         engine/tensor/tensor.h        engine/tape/tape.h
engine/tape            engine/compute/profile.h      engine/ops/matmul.h
engine/ops             engine/runtime.h              engine/fused/spectral/fft.h
engine/fused/attention engine/ops/matmul.h           engine/fused/features/rotary.h
engine/fused/features  engine/ops/matmul.h           engine/fused/spectral/fft.h
engine/fused/scan      engine/ops/matmul.h           engine/fused/attention/parts.h
engine/fused/spectral  engine/ops/matmul.h           engine/testing/testing.h
engine                 engine/fused/spectral/fft.h   attention/attention.h
attention/definition   engine/tensor/tensor.h        engine/tape/tape.h
attention/version.h    attention/version.h           engine/base/error.h
attention/plugin.h     attention/version.h           attention/attention.h
attention/attention.h  attention/definition/plain.h  attention/parts/masks.h
attention/attention.cpp attention/attention.h        attention/parts/masks.h
attention/parts        attention/attention.h         attention/softmax.h
attention              attention/parts/masks.h       attention/check/checks.h
attention/check        attention/parts/masks.h       models/model.h
models                 attention/check/checks.h      tasks/task.h
tasks/io               engine/base/error.h           tasks/task.h
tasks                  tasks/task.h                  engine/tensor/tensor.h
results/record         engine/base/error.h           results/analysis/mean.h
results/analysis       results/record/record.h       results/table/table.h
results/published      results/record/record.h       results/analysis/mean.h
results/table          results/analysis/mean.h       results/report/report.h
results/report         results/table/table.h         harness/version.h
harness                models/model.h                tests/catch.h
harness/workers        harness/version.h             harness/run/run.h
harness/diagnose       harness/workers/child.h       harness/study/study.h
harness/study          harness/workers/child.h       harness/check/check.h
harness/check          harness/workers/child.h       harness/run/run.h
harness/run            harness/check/check.h         harness/measure/speed.h
harness/measure        harness/run/run.h             harness/suite/suite.h
harness/suite          harness/measure/speed.h       harness/tune/tune.h
harness/tune           harness/suite/suite.h         harness/cluster/job.h
harness/cluster        harness/suite/suite.h         harness/tune/tune.h
harness/cli            harness/cluster/job.h         tools/tool.h
tools                  harness/cli/cli.h             tests/catch.h
tests                  tasks/task.h                  tools/tool.h
tasks/listops          tasks/listops/tree.h          tasks/text/text.h
tasks/text             tasks/baselines/majority.h    models/model.h
'
# Every row of the table is tried; a row that is not tried here is a fault of this test.
table=$(grep -oE '(allowed|below)\["[a-z_./]+"\] = ' "$check" |
          sed -E 's/^allowed\["(.*)"\] = $/\1/; s/^below\["(.*)"\] = $/harness\/\1/')
untried=$(grep -vxFf <(awk '{ print $1 }' <<<"$rows") <<<"$table" || true)
if [ -n "$untried" ]; then
  echo "includes test: no example for: ${untried//$'\n'/ }" >&2
  exit 1
fi

# plant FILE: adds standard input to a file of the scratch tree.
plant() {
  mkdir -p "$scratch/${1%/*}"
  cat >>"$scratch/$1"
}
mkdir -p "$scratch"/{engine/{ops,fused},attention,models,tasks,results,harness,tools,tests}

failed=0
complain() {
  echo "includes test: $1" >&2
  failed=1
}
said=
runs() {  # EXPECTED_STATUS WHAT
  local code=0
  said=$("$check" "$scratch" 2>&1) || code=$?
  if [ $code != "$1" ]; then
    complain "$2: exits $code instead of $1: $said"
  fi
}

# What is right passes, also in a test: from tests/, and in some folders from above.
while read -r row right _; do
  [ -n "$row" ] || continue
  case $row in
    *.h|*.cpp) file=$row ;;
    *) file=$row/right.cpp ;;
  esac
  printf '#include "%s"\n#  include <%s>\n#include <vector>\n#include <sys/stat.h>\n' "$right" "$right" |
    plant "$file"
done <<<"$rows"
plant engine/ops.h <<<'#include "engine/ops/sum.h"'
plant engine/ops/sum.h <<<'[[nodiscard]] Value sum(const Value& x, int axis);'
plant engine/compute/onednn.h <<<'#include <oneapi/dnnl/dnnl.hpp>'
plant tests/catch.h <<<'#include <catch2/catch.hpp>'
plant engine/tape/tape_test.cpp <<<'#include "engine/testing/testing.h"'
plant tasks/io/reader_test.cpp <<<'#include "tasks/task.h"'
plant models/embeds.cpp <<<'#include "embedded/preset_files.h"'
plant models/model_test.cpp <<'X'
#include <algorithm>
#include "tests/catch.h"
using lra::testing::Approx;
const bool same = std::ranges::sort(a), Approx(1);
X
runs 0 "a tree without faults"
[ -z "$said" ] || complain "a tree without faults: says $said"

# What is wrong is refused, each with its file, line and path.
expected=()
while read -r row _ wrong; do
  [ -n "$row" ] || continue
  for form in "\"$wrong\"" "<$wrong>"; do
    case $row in
      *.h|*.cpp) file=$row; line=$(($(wc -l <"$scratch/$file") + 1)) ;;
      *) [[ $form == \<* ]] && file=$row/angle.h || file=$row/quoted.h; line=1 ;;
    esac
    plant "$file" <<<"#include $form"
    expected+=("$file:$line: includes $form")
  done
done <<<"$rows"
plant engine/base/low_test.cpp <<<'#include "engine/tape/tape.h"'
plant models/beside.cpp <<<'#include "beside.h"'
plant results/table/up.cpp <<<'  # include <../../harness/version.h>'
plant engine/fused/scan/lost.h <<<'Value lost(const Value& x);'
plant engine/compute/second.cpp <<<'#include <dnnl.hpp>'
plant results/record/record_test.cpp <<<'#include <catch2/catch.hpp>'
printf '\nconst int x = std::find(a, b, 1);\n' | plant harness/run/find.cpp
plant models/near_test.cpp <<<'CHECK(x == Approx(1));'
expected+=(
  'engine/base/low_test.cpp:1: includes "engine/tape/tape.h"'
  'models/beside.cpp:1: includes "beside.h"'
  'results/table/up.cpp:1: includes <../../harness/version.h>'
  'engine/fused/scan/lost.h declares an operation'
  'oneDNN may be included by one file, in engine; it is by: engine/compute/onednn.h engine/compute/second.cpp'
  'Catch2 is included through tests/catch.h only; directly by: results/record/record_test.cpp'
  'harness/run/find.cpp:2:std::find(...) without #include <algorithm>'
  'models/near_test.cpp:1: Approx(...) is lra::testing::Approx'
)
runs 1 "a tree with faults"
for line in "${expected[@]}"; do
  if ! grep -qF -- "$line" <<<"$said"; then
    complain "not refused: $line"
  fi
done
unexpected=$(grep -vFf <(printf '%s\n' "${expected[@]}") <<<"$said" || true)
[ -z "$unexpected" ] || complain "refused, but right: $unexpected"
[ $failed = 0 ] && echo "includes test: ${#expected[@]} faults refused"
exit $failed

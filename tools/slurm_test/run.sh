#!/usr/bin/env bash
# A suite on a real Slurm of this machine (cluster.sh), compared bit for bit with `lra run` here: six runs
# in an array on two nodes, one requeued from node to node while it runs, one that fails, then the same
# command again. Before that, two `lra run` processes share twelve runs. Under two minutes on two cores;
# leaves nothing running. Without root or Slurm's packages the part with Slurm is skipped, which it says.
#   tools/slurm_test/run.sh [LRA]            default: build/release/bin/lra
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Whatever hangs ends here.
if [ -z "${LRA_SLURM_TEST_INSIDE-}" ]; then
  LRA_SLURM_TEST_INSIDE=1 exec timeout --kill-after=60 400 "${BASH_SOURCE[0]}" "$@"
fi
source tools/slurm_test/cluster.sh

lra=$(realpath "${1:-build/release/bin/lra}")
scratch=$(mktemp -d)
trap 'stop_cluster; rm -rf "$scratch"' EXIT
trap 'exit 1' TERM INT HUP
export XDG_CACHE_HOME=$scratch/cache
unset LRA_DATA

fail() {
  echo "slurm test: $1" >&2
  [ -z "${cluster-}" ] || { timeout 10 squeue -h; tail -n 5 "$work"/r/slurm/logs/*.log; } >&2 || true
  exit 1
}

# eventually SECONDS COMMAND...: until the command succeeds.
eventually() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.3
  done
}

# write_suite FILE STEPS SEEDS: softmax, cosFormer and linear attention on short ListOps.
write_suite() {
  cat >"$1" <<SUITE
{"schema": "lra-suite/1", "name": "s", "tasks": ["listops"], "preset": "tiny", "precision": "f32",
 "attentions": ["softmax", "cosformer", "linear"], "seeds": [$3],
 "settings": {"data.train": 100, "data.val": 10, "data.test": 10, "train.steps": $2,
              "train.eval_every": 20, "train.batch_size": 8, "task.min_tokens": 20,
              "task.max_tokens": 200, "task.max_length": 200, "diagnostics.samples": 0}}
SUITE
}

# A pretty-printed JSON file without the members that are times, or say where it was computed.
without_times() {
  awk 'skip != "" { if (index($0, skip "}") == 1 || index($0, skip "]") == 1) skip = ""; next }
       match($0, /^ *"(node|speed|memory|time|seconds|started|first_started|last_started|measured|peak_[a-z_]*|train_steps_per_second|train_step_ms|train_examples_per_second|train_tokens_per_second|infer_[a-z_]*)":/) {
         if ($0 ~ /[{[]$/) { skip = $0; sub(/".*/, "", skip) }
         next
       }
       { sub(/,$/, ""); print }' "$1"
}

# same_results ONE TWO: weights and curves are equal, records and leaderboard but for times.
same_results() {
  local run name file count=0
  for run in "$1"/runs/*/; do
    name=$(basename "$run")
    for file in model.safetensors metrics.jsonl; do
      cmp "$run/$file" "$2/runs/$name/$file" || fail "$name: another $file"
    done
    diff <(without_times "$run/result.json") <(without_times "$2/runs/$name/result.json") ||
      fail "$name: another result.json"
    count=$((count + 1))
  done
  diff <(without_times "$1/leaderboard.json") <(without_times "$2/leaderboard.json") ||
    fail "another leaderboard.json"
  grep -q '"accuracy"' <(without_times "$1/leaderboard.json") || fail "nothing was compared"
  echo "   $count runs: weights, curves, records and leaderboard are equal"
}

work="$scratch/it's a folder"
mkdir "$work"
cd "$work"

echo "-- two processes share twelve runs"
write_suite twelve.json 40 1,2,3,4
alone=(--threads 1 --measure-seconds 0 --checkpoint-seconds 0.2)
"$lra" run twelve.json --out shared "${alone[@]}" --events one.jsonl >one.out 2>&1 &
first=$!
"$lra" run twelve.json --out shared "${alone[@]}" --events two.jsonl >two.out 2>&1 || fail "$(cat two.out)"
wait $first || fail "$(cat one.out)"
# Runs of which the stream tells a validation of its own.
trained() {
  grep '"phase":"evaluation"' "$1" | sed 's/.*"run":"\([^"]*\)".*/\1/' | sort -u
}
one=$(trained one.jsonl | wc -l)
two=$(trained two.jsonl | wc -l)
both=$(sort -u <(trained one.jsonl) <(trained two.jsonl) | wc -l)
echo "   $one and $two runs"
if [ "$both" -ne 12 ] || [ $((one + two)) -ne 12 ] || [ "$one" -lt 3 ] || [ "$two" -lt 3 ]; then
  fail "expected twelve runs, each trained once, at least three by each process"
fi

missing=()
for command in "${cluster_commands[@]}"; do
  command -v "$command" >/dev/null || missing+=("$command")
done
if [ "$(id -u)" -ne 0 ] || [ ${#missing[@]} -gt 0 ]; then
  echo "slurm: skipped, needs root and munge, slurmctld, slurmd, slurm-client (missing: ${missing[*]:-root})"
  exit 0
fi

echo "-- the same suite here and on two nodes of $(slurmctld -V), Debian $(cat /etc/debian_version)"
write_suite s.json 500 1,2
"$lra" run s.json --out local "${alone[@]}" >local.out 2>&1 || fail "$(cat local.out)"
start_cluster "$scratch/cluster" 2 1 || fail "no cluster"
on=(--on slurm --cores 1 --task-minutes 0 --at-once 2 --checkpoint-seconds 0.2
    --slurm "--partition=main --comment=\"six runs\"")
submit() {
  timeout 60 "$lra" run s.json --out r "${on[@]}" "$@"
}
# squeue's lines of jobs that have this in their name.
queued() {
  timeout 10 squeue -h -r -o '%i %T %N %j' | grep -F ".$1" || true
}
queue_is_empty() {
  [ -z "$(timeout 10 squeue -h 2>/dev/null || echo fault)" ]
}

# A checkpoint that cannot be read: this run will fail, on a node.
broken=$(basename local/runs/*-cosformer-s2-*)
mkdir -p "r/runs/$broken"
echo damaged >"r/runs/$broken/checkpoint.safetensors"

submit --dry-run >dry.out
grep -q 'written, not submitted' dry.out || fail "$(cat dry.out)"
queue_is_empty || fail "the dry run has submitted something"
submit >first.out
cat r/slurm/1/estimate.sbatch
# The second command submits nothing twice.
submit >again.out
grep -q '^submitted' again.out && fail "$(cat again.out)"

# The first job submits the arrays; one run goes from node to node while it trains.
runs_now() {
  moved=$(queued train- | awk '$2 == "RUNNING" { print $1, $3; exit }')
  [ -n "$moved" ] || return 1
  read -r task node <<<"$moved"
  id=$(sed -n "${task#*_}p" r/slurm/2/train-1.runs)
  local folder=(r/runs/*-"$id")
  [ "${folder[0]##*/}" != "$broken" ] && [ -s "${folder[0]}/checkpoint.safetensors" ] &&
    timeout 10 scontrol requeue "$task"
}
eventually 60 runs_now || fail "no run with a checkpoint"
waits_again() {
  queued train- | grep -q "^$task PENDING"
}
eventually 40 waits_again || fail "$task does not wait again"
submit >during.out
timeout 10 scontrol update "jobid=$task" "ExcNodeList=$node" StartTime=now
cat r/slurm/2/train-1.sbatch during.out
grep -q "pending  job ${task}" during.out || fail "the requeued run is not shown as pending"
eventually 120 queue_is_empty || fail "jobs are left"
moved_to=$(sed -n 's/.*"node": "\(.*\)".*/\1/p' r/runs/*-"$id"/result.json)
echo "   $task was requeued on $node and ended on $moved_to"
[ "$moved_to" != "$node" ] || fail "it ended where it began"
grep -q 'lra: stopping' r/slurm/logs/*train-1-"$task".log || fail "it was not stopped in good order"
grep -q '"status": "failed"' "r/runs/$broken/result.json" || fail "$broken has not failed"
[ "$(grep -l '"status": "completed"' r/runs/*/result.json | wc -l)" -eq 5 ] || fail "not five of six"

# The cause is removed; the same command submits that run alone, and at the end shows the tables.
rm "r/runs/$broken/checkpoint.safetensors"
submit >repeat.out
cat repeat.out
grep -q 'train-1.sbatch    1 runs in 1 tasks' repeat.out || fail "expected one run"
eventually 90 queue_is_empty || fail "jobs are left"
same_results local r
submit >end.out || fail "$(cat end.out)"
grep -q '^s: 6 runs: 6 ended' end.out || fail "$(cat end.out)"
grep -q '^board ' end.out || fail "no tables at the end"

# Whatever sbatch refuses is said, with its words.
code=0
timeout 60 "$lra" run s.json --out refused --on slurm --slurm=--partition=none >refused.out 2>&1 || code=$?
if [ $code -ne 1 ] || ! grep -q 'invalid partition' refused.out; then
  fail "refused by sbatch: exit code $code, $(cat refused.out)"
fi
echo "   in $SECONDS s"

#!/usr/bin/env python3
"""Speed of lra and PyTorch or ONNX Runtime on this machine, measured alternately: a table in Markdown, and JSON lines.

  tools/peer/compare.py --python python3                        a PyTorch that is installed
  tools/peer/compare.py --debian build/peer --suite testing     Debian's newest, put into a folder (as root;
                                                                debootstrap, 3 GB; the folder is kept)
  tools/peer/compare.py --table turns.jsonl                     the table of what --out has kept
For each attention, mode and length the peer's ways of computing a step are tried once, for a short time; the
fastest then runs in turns with lra: lra, peer, lra, peer, ... The table has the medians and the ratio's range
over turns. Nothing else should run. The model is that of `lra bench` (peer.py).

  tools/peer/compare.py ... --mode infer --runtime onnxruntime  ONNX Runtime (it infers what PyTorch exports)
  tools/peer/compare.py ... --lengths FILE                      sequences of several lengths, as real data have
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# PyTorch with OpenBLAS (Debian's default BLAS is the reference one), what torch.compile needs, an allocator;
# ONNX Runtime.
PACKAGES = ["python3-torch", "libopenblas0-openmp", "libjemalloc2", "libsleef-dev", "libtorch-dev",
            "python3-setuptools", "g++", "python3-onnxruntime"]
RUNTIMES = {"torch": "PyTorch", "onnxruntime": "ONNX Runtime"}
ATTENTIONS = ["softmax", "linear", "cosformer", "performer", "linformer", "nystromformer", "local", "bigbird"]
ENVIRONMENT = ["env", "OMP_PROC_BIND=true", "MALLOC_CONF=oversize_threshold:1,background_thread:true,"
               "metadata_thp:auto,dirty_decay_ms:-1,muzzy_decay_ms:-1"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--python", help="an interpreter that has torch")
    where.add_argument("--debian", type=Path, metavar="DIR", help="a folder for a Debian with PyTorch")
    where.add_argument("--table", type=Path, metavar="FILE", help="JSON lines to print the table of")
    parser.add_argument("--suite", default="testing", help="Debian's, for --debian (testing)")
    parser.add_argument("--mirror", default="http://deb.debian.org/debian")
    parser.add_argument("--lra", default="build/release/bin/lra", help="the program (build/release/bin/lra)")
    parser.add_argument("--attention", default="linear,cosformer,softmax")
    parser.add_argument("--mode", default="train,infer")
    parser.add_argument("--n", default="1024,2048,4096")
    parser.add_argument("--lengths", type=Path, metavar="FILE", help="numbers of tokens that the sequences of a batch "
                        "have in turn, in place of --n")
    parser.add_argument("--runtime", choices=RUNTIMES, default="torch", help="onnxruntime: for --mode infer in f32")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="of measuring in a turn (5)")
    parser.add_argument("--out", type=Path, help="file for the JSON lines")
    args = parser.parse_args()
    for name in args.attention.split(","):
        if name not in ATTENTIONS:
            parser.error(f"--attention {name}: expected {', '.join(ATTENTIONS)}")
    if args.lengths:
        if not args.lengths.is_file():
            parser.error(f"--lengths {args.lengths}: no such file")
        args.n = str(max(map(int, args.lengths.read_text().split()[:args.batch])))
    if args.runtime == "onnxruntime" and (args.mode != "infer" or args.precision != "f32" or args.lengths):
        parser.error("--runtime onnxruntime: for --mode infer in f32 without --lengths")
    if args.table and not args.table.is_file():
        parser.error(f"--table {args.table}: no such file")
    if args.threads < 1 or args.turns < 1:
        parser.error("--threads, --turns: expected at least 1")
    return args


def debian(folder, suite, mirror):
    """A Debian with PyTorch in `folder`, created if missing; returns the command that runs Python in it."""
    folder = folder.resolve()
    if not (folder / "usr/bin/python3").exists() or not list(folder.glob("usr/lib/python3/dist-packages/torch")):
        if os.geteuid() != 0 or shutil.which("debootstrap") is None:
            sys.exit("compare.py: --debian needs root and debootstrap")
        if not (folder / "etc/debian_version").exists():
            subprocess.run(["debootstrap", "--variant=minbase", suite, folder, mirror], check=True)
        for file in [Path("/etc/resolv.conf"), *Path("/etc/apt/apt.conf.d").glob("*proxy*")]:
            if file.exists():
                shutil.copy(file, folder / file.relative_to("/"))
        apt = ["chroot", folder, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
        subprocess.run([*apt, "update"], check=True)
        subprocess.run([*apt, "install", "-y", "--no-install-recommends", *PACKAGES], check=True)
    if not (folder / "proc/self").exists():
        subprocess.run(["mount", "-t", "proc", "proc", folder / "proc"], check=True)
    shutil.copy(HERE / "peer.py", folder / "tmp/peer.py")
    libraries = ":".join("/" + str(path.relative_to(folder))
                         for path in folder.glob("usr/lib/*/openblas-openmp"))
    preload = "libjemalloc.so.2" + (":libsleef.so.3" if list(folder.glob("usr/lib/*/libsleef.so.3")) else "")
    return ["chroot", str(folder), *ENVIRONMENT, f"LD_LIBRARY_PATH={libraries}", f"LD_PRELOAD={preload}", "python3",
            "/tmp/peer.py"]


def ways(attention, mode, n, runtime, lengths):
    """Options of peer.py that may be the fastest."""
    if runtime == "onnxruntime":
        return [["--runtime", runtime, "--at-once", few] for few in ("1", "4", "32")]
    if lengths:
        return [[*compiled, *sdpa, "--at-once", few] for compiled in (["--compile"], [])
                for sdpa in (([], ["--sdpa"]) if attention == "softmax" else ([],)) for few in ("2", "4")]
    if attention in ("linear", "cosformer", "performer"):
        return [["--compile"], ["--compile", "--at-once", "2"], ["--at-once", "2"]]
    if attention != "softmax":
        return [[*compiled, *sdpa, "--at-once", "4"] for compiled in (["--compile"], []) for sdpa in (["--sdpa"], [])]
    few = str(max(1, 8192 // n))  # so that the N x N weights of those at once stay small
    found = [["--at-once", few], ["--compile", "--at-once", few], ["--sdpa"]]
    return found + [["--compile", "--sdpa"]] if mode == "infer" else found


class Failed(Exception):
    pass


def output(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def heading(case):
    environment = case["environment"]
    runtime = case.get("runtime", "torch")
    peer = RUNTIMES[runtime]
    of_batch = f" of {case['mean_tokens']:.0f} tokens a sequence on average" if "mean_tokens" in case else ""
    return (f"{environment['cpu']}, {environment['isa']}, {case['threads']} threads, {case['precision']}, batches of "
            f"{case['batch']}{of_batch}; lra {environment['version']} ({environment['commit'][:12]}), oneDNN "
            f"{environment['onednn']}; {peer} {case['turns'][0][1][runtime]}; turns: {len(case['turns'])}\n\n"
            f"| attention | mode | {'longest' if of_batch else 'n'} | lra, tokens/s | {peer}, tokens/s | ratio (range "
            f"over turns) | {peer}'s way | peak memory, lra / {peer} (MB) |\n|---|---|---:|---:|---:|---:|---|---:|")


def way_text(way):
    at = way.index("--runtime") if "--runtime" in way else len(way)
    return " ".join(way[:at] + way[at + 2:]).replace("--", "")


def row(case):
    lra, torch = ([turn[who]["tokens_per_second"] for turn in case["turns"]] for who in (0, 1))
    ratios = [ours / theirs for ours, theirs in zip(lra, torch)]
    lra, torch = statistics.median(lra), statistics.median(torch)
    memory = " / ".join(f"{max(turn[who]['peak_rss_bytes'] for turn in case['turns']) / 1e6:.0f}" for who in (0, 1))
    return (f"| {case['attention']} | {case['mode']} | {case['n']} | {lra:,.0f} | {torch:,.0f} | {lra / torch:.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}) | {way_text(case['way'])} | {memory} |")


def main():
    args = arguments()
    if args.table:
        above = None
        for case in map(json.loads, args.table.read_text().splitlines()):
            if heading(case) != above:
                print(("\n" if above else "") + heading(case))
                above = heading(case)
            print(row(case))
        return
    peer = ([*ENVIRONMENT, args.python, str(HERE / "peer.py")] if args.python
            else debian(args.debian, args.suite, args.mirror))

    peer_lengths, lra_lengths = [], []
    if args.lengths:
        lra_lengths = peer_lengths = ["--lengths", str(args.lengths)]
        if args.debian:
            shutil.copy(args.lengths, args.debian / "tmp/lengths.txt")
            peer_lengths = ["--lengths", "/tmp/lengths.txt"]

    def run_peer(case, n, way, seconds):
        printed = output([*peer, *case, "--n", n, *peer_lengths, "--seconds", str(seconds), *way])
        return json.loads(printed.splitlines()[-1])

    def tried_ways(case, n, of):
        """[tokens per second, way] of each way that works; torch.compile fails on some."""
        tried = []
        for way in of:
            try:
                tried.append((run_peer(case, n, way, args.seconds / 3)["tokens_per_second"], way))
            except Failed as failure:
                print(f"compare.py: skipped: {failure}", file=sys.stderr)
        if not tried:
            sys.exit("compare.py: the peer has no way that works")
        return tried

    def run_lra(case, n):
        length = lra_lengths or ["--n", n]
        return json.loads(output([args.lra, "bench", *case, *length, "--seconds", str(args.seconds), "--json"]))[0]

    same = ["--batch", str(args.batch), "--precision", args.precision, "--threads", str(args.threads)]
    cases = [(attention, mode, n) for mode in args.mode.split(",") for attention in args.attention.split(",")
             for n in args.n.split(",")]
    for number, (attention, mode, n) in enumerate(cases):
        case = ["--attention", attention, "--mode", mode, *same]
        tried = tried_ways(case, n, ways(attention, mode, int(n), args.runtime, args.lengths))
        way = max(tried)[1]
        turns = []
        for _ in range(args.turns):
            record = run_lra(case, n)
            turns.append((record["points"][0], run_peer(case, n, way, args.seconds)))
        more = {"mean_tokens": record["mean_tokens"]} if args.lengths else {}
        if args.runtime != "torch":
            more["runtime"] = args.runtime
        environment = {key: value for key, value in record["environment"].items() if key != "node"}
        done = {"attention": attention, "mode": mode, "n": int(n), "batch": args.batch, "threads": args.threads,
                "precision": args.precision, **more, "environment": environment, "tried": tried, "way": way,
                "turns": turns}
        if number == 0:
            print(heading(done))
        print(row(done), flush=True)
        if args.out:
            with args.out.open("a") as out:
                print(json.dumps(done), file=out)


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        sys.exit(f"compare.py: {failure}")

#!/usr/bin/env python3
"""Changes one line of a folder at a time and runs the folder's tests to see whether they detect it.

  tools/mutate.py FOLDER [--count N] [--seed N] [--tests PROGRAM[,PROGRAM...]] [--at-least PERCENT] [--out FILE]
                         [--again FILE]

A mutation swaps an operator, moves a constant or a bound by one, turns a truth value round, or drops a call. N of them
are drawn with the seed from all that the folder's sources offer (not from tests, messages or declarations). Each is
built and tested in a worktree of its own, build/mutate/tree, at HEAD: the working tree is left alone, what is not
committed does not count. A mutation that does not compile is replaced by the next. Prints one line for each, then the
survivors; with --out also as JSON lines, of which --again takes up those that were not seen. Exits 1 if fewer than
PERCENT were seen. Needs only Debian's python3; with ccache the first build is short.
"""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TREE = ROOT / "build/mutate/tree"
PROGRAMS = {  # the test programs of each top folder, quickest first
    "engine": ["base_test", "engine_test"],
    "attention": ["attention_test", "checks_test"],
    "models": ["models_test"],
    "tasks": ["tasks_test"],
    "results": ["results_test"],
    "harness": ["checks_test", "diagnose_test", "study_test", "suite_test", "harness_test", "program_test"],
}
TESTS_RUN = "~[slow]~[perf]~storm*"

SWAPS = {
    "operator": [(" == ", " != "), (" && ", " || "), (" + ", " - "), (" * ", " / "), (" += ", " -= "),
                 ("std::min(", "std::max("), ("min_element", "max_element"), ("floor(", "ceil(")],
    "bound": [(" < ", " <= "), (" > ", " >= ")],
    "truth": [("true", "false")],
}
NUMBER = re.compile(r"(?<![\w.'])(\d+\.\d+|\d+)(?=[FLU]*\b)(?!\.\w)")
NEGATION = re.compile(r"(?<=[(&|= ])!(?=[a-z(])")
CALL = re.compile(r"^\s+[A-Za-z_][\w.:>\[\]-]*\(.*\);$")
# Lines that are not computed: preprocessor, comments, types, declarations of constants' sizes, messages.
PASSED = re.compile(r"^\s*(#|//|namespace\b|using\b|template\b|static_assert|friend\b|case .*:$|throw\b|LRA_|fail\(|\"|\}$|$)")


def masked(line):
    """The line with strings, characters and comments blanked, so that places stay the same."""
    line = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)\'', lambda m: "\x00" * len(m.group()), line)
    return re.sub(r"//.*", lambda m: "\x00" * len(m.group()), line)


def mutations_of(line):
    """All (kind, changed line) of one line of code."""
    if PASSED.match(line):
        return []
    code, found = masked(line), []

    def put(kind, start, end, text):
        found.append((kind, line[:start] + text + line[end:]))

    for kind, pairs in SWAPS.items():
        for a, b in pairs:
            for old, new in ((a, b), (b, a)):
                pattern = re.escape(old) if not old.isalpha() else rf"\b{old}\b"
                for m in re.finditer(pattern, code):
                    put(kind, m.start(), m.end(), new)
    for m in NUMBER.finditer(code):
        value = m.group()
        if "." in value:
            put("constant", m.start(), m.end(), repr(float(value) * 2 or 1.0))
        elif not re.search(r"(array<|int|uint|float|<)[^;]*$", code[:m.start()][-8:]):
            put("constant", m.start(), m.end(), str(int(value) + 1))
    for m in NEGATION.finditer(code):
        put("truth", m.start(), m.end(), "")
    if CALL.match(code.rstrip("\x00 ")) and not re.match(r"\s+(return|co_|delete|throw|std::lock|std::unique)", code):
        found.append(("dropped call", re.match(r"\s*", line).group() + ";"))
    return found


def sources_of(folder):
    for path in sorted((TREE / folder).rglob("*")):
        relative = path.relative_to(TREE)
        if path.suffix not in (".cpp", ".h") or re.search(r"(_test|_fuzz)\.cpp$|test_|/testing|fuzz|skeleton", str(relative)):
            continue
        yield relative


def candidates(folder):
    for path in sources_of(folder):
        block = False
        for number, line in enumerate((TREE / path).read_text().splitlines(), 1):
            block = block or line.lstrip().startswith("/*")
            if not block:
                for kind, changed in mutations_of(line):
                    yield {"file": str(path), "line": number, "kind": kind, "before": line.strip(),
                           "after": changed.strip(), "text": changed}
            block = block and "*/" not in line


def identity(mutation):
    return mutation["file"], mutation["before"], mutation["after"]


def run(command, timeout=None):
    """The exit status and output; None if it took too long."""
    process = subprocess.Popen(command, cwd=TREE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               errors="replace", start_new_session=True)
    try:
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def build(*programs):
    return run(["cmake", "--build", "build/dev", "--target", *programs])


def place_of(program):
    return next(p for p in (TREE / "build/dev").rglob(program) if p.is_file())


def failure(program, tests, limit=None):
    """The failing test at which the program ended; None if all pass."""
    code, output = run([str(place_of(program)), tests, "--abort", "-#"], limit)
    if code is None:
        return f"{program}: takes too long"
    if code != 0:
        titles = re.findall(r"^-{20,}\n(.+)\n(?:.+\n)*-{20,}\n", output, re.M)  # before the last: of warnings
        return f"{program}: {titles[-1] if titles else f'exit {code}'}"
    return ""


class DoesNotCompile(Exception):
    pass


def seen_by(source, programs, limits, files):
    """What sees the mutation of `source`: first the tests beside it, then all; each program is linked when its turn comes."""
    tag = f"[#{pathlib.Path(source).stem}_test]"
    turns = [(p, tag + TESTS_RUN) for p in programs if tag in files[p]] + [(p, TESTS_RUN) for p in programs]
    for program, tests in turns:
        if build(program)[0] != 0:
            raise DoesNotCompile
        failed = failure(program, tests, limits[program])
        if failed:
            return failed
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="folder of the tree, e.g. tasks or harness/run")
    parser.add_argument("--count", type=int, default=40, help="mutations that compile (40)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tests", help="test programs instead of the folder's, separated by commas")
    parser.add_argument("--at-least", type=float, default=0, metavar="PERCENT", help="share that must be seen")
    parser.add_argument("--again", type=pathlib.Path, metavar="FILE",
                        help="in place of drawing: those that survived an earlier run, from its --out")
    parser.add_argument("--out", type=pathlib.Path, help="file for one JSON object per mutation")
    options = parser.parse_args()
    # Ends through `finally`, so that no compiler keeps running and no mutation remains.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit("mutate: stopped"))
    top = options.folder.strip("/").split("/")[0]
    if top not in PROGRAMS or not (ROOT / options.folder).is_dir():
        parser.error(f"{options.folder}: not a folder with tests; expected one of {', '.join(PROGRAMS)} or a folder in it")
    programs = options.tests.split(",") if options.tests else PROGRAMS[top]

    if TREE.exists():
        run(["git", "checkout", "--quiet", "--force", "--detach", git("rev-parse", "HEAD")])
    else:
        git("worktree", "prune")
        git("worktree", "add", "--detach", "--quiet", str(TREE), "HEAD")
    launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
    code, output = run(["cmake", "--preset", "dev", "-DLRA_WERROR=OFF", *launcher])
    if code == 0:
        code, output = build(*programs)
    if code != 0:
        sys.exit(f"mutate: the tree itself does not build\n{output}")
    limits, files = {}, {}
    for program in programs:
        files[program] = run([str(place_of(program)), "--list-tags", "-#"])[1]
        started = time.monotonic()
        failed = failure(program, TESTS_RUN)
        limits[program] = 60 + 2 * (time.monotonic() - started)
        if failed:
            sys.exit(f"mutate: fails without a mutation: {failed}")

    pool = list(candidates(options.folder))
    if options.again:
        # Lines may have moved since.
        earlier = [json.loads(line) for line in options.again.read_text().splitlines()]
        wanted = {identity(m) for m in earlier if not m["seen by"]}
        pool = [m for m in pool if identity(m) in wanted]
        print(f"{options.folder}: {len(pool)} of the {len(wanted)} mutations that survived", flush=True)
    else:
        random.Random(options.seed).shuffle(pool)
        print(f"{options.folder}: {len(pool)} mutations to draw {options.count} from, seed {options.seed}", flush=True)
    survivors, seen, tried = [], 0, 0
    out = options.out.open("w") if options.out else None
    for m in pool:
        if tried == options.count:
            break
        path = TREE / m["file"]
        original = path.read_text()
        lines = original.splitlines(keepends=True)
        lines[m["line"] - 1] = m.pop("text") + "\n"
        try:
            path.write_text("".join(lines))
            m["seen by"] = seen_by(m["file"], programs, limits, files)
        except DoesNotCompile:
            continue
        finally:
            path.write_text(original)
        tried += 1
        seen += bool(m["seen by"])
        if not m["seen by"]:
            survivors.append(m)
        print(f"{tried:3} {m['file']}:{m['line']}: {m['kind']}: {m['before']}  ->  {m['after']}\n"
              f"      {'seen by ' + m['seen by'] if m['seen by'] else 'SURVIVED'}", flush=True)
        if out:
            out.write(json.dumps(m) + "\n")
            out.flush()
    percent = 100 * seen / tried if tried else 0
    print(f"{options.folder}: {seen} of {tried} seen ({percent:.1f} %)")
    for m in survivors:
        print(f"survived: {m['file']}:{m['line']}: {m['before']}  ->  {m['after']}")
    sys.exit(tried == 0 or percent < options.at_least)


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


main()

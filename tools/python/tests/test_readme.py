"""Runs the examples of tools/python/README.md, in order: Python blocks in one namespace, shell blocks
with the built program in front of the PATH and the package installed in ~/.local."""

import os
import re
import subprocess
import sys
import unittest

from support import PROGRAM, Scratch, needs_torch

PYTHON = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def blocks():
    with open(os.path.join(PYTHON, "README.md"), encoding="utf-8") as file:
        text = file.read()
    for found in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield found[1], found[2], text.count("\n", 0, found.start()) + 1


@needs_torch
class ReadmeTest(Scratch):
    def test_its_examples_run(self):
        build = os.path.dirname(os.path.dirname(os.path.abspath(PROGRAM)))
        prefix = os.path.join(self.folder, ".local")  # ~/.local of the examples
        if not os.path.exists(os.path.join(build, "CMakeCache.txt")):
            self.skipTest("no build tree; the examples need one to install")
        subprocess.run(["cmake", "--install", build, "--prefix", prefix, "--component", "lra"],
                       check=True, stdout=subprocess.DEVNULL)
        work = os.path.join(self.folder, "work")
        os.mkdir(work)
        before = os.getcwd()
        os.chdir(work)
        self.addCleanup(os.chdir, before)
        environment = {**os.environ, "HOME": self.folder,
                       "PATH": os.path.dirname(PROGRAM) + os.pathsep + os.environ["PATH"]}
        names = {"__name__": "readme"}
        kinds = []
        for kind, code, line in blocks():
            kinds.append(kind)
            print(f"-- line {line}, {kind}", flush=True)
            if kind == "python":
                exec(compile("\n" * line + code, "README.md", "exec"), names)
                sys.stdout.flush()
            else:
                self.assertEqual(kind, "sh")
                done = subprocess.run(["bash", "-euo", "pipefail", "-c", code], env=environment, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
                print(done.stdout, end="")
                self.assertEqual(done.returncode, 0, done.stdout)
                if "check golden" in code:
                    self.assertIn("3 passed, 0 failed, 0 skipped", done.stdout)
        self.assertGreaterEqual((kinds.count("python"), kinds.count("sh")), (7, 3))


if __name__ == "__main__":
    unittest.main()

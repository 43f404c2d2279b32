"""What the tests share: torch where it is, the program, scratch folders."""

import importlib.util
import os
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get("LRA_PROGRAM", "lra")
HAS_TORCH = importlib.util.find_spec("torch") is not None
needs_torch = unittest.skipUnless(HAS_TORCH, "no torch; install python3-torch")
needs_pandas = unittest.skipUnless(importlib.util.find_spec("pandas"), "no pandas; install python3-pandas")

SMALL = {"data.train": 48, "data.val": 16, "data.test": 40, "train.steps": 4, "train.batch_size": 8,
         "train.eval_every": 4}


def program(*words, code=0, cwd=None):
    """Runs lra; its stdout and stderr together."""
    done = subprocess.run([PROGRAM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, cwd=cwd, check=False)
    if done.returncode != code:
        raise AssertionError(f"lra {' '.join(map(str, words))}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def train(folder, task, attention="softmax", **settings):
    """A tiny run in f32; settings with _ for the dot: model_norm="post"."""
    words = ["train", "--task", task, "--attention", attention, "--preset", "tiny", "--precision", "f32",
             "--out", folder]
    chosen = {**SMALL, **{key.replace("_", ".", 1): value for key, value in settings.items()}}
    for key, value in chosen.items():
        words += ["--set", f"{key}={value}"]
    program(*words)
    return folder


class Scratch(unittest.TestCase):
    """A folder for all tests of a class, with a data cache of its own."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="lra-python-")
        cls.folder = cls.scratch.name
        os.environ["XDG_CACHE_HOME"] = os.path.join(cls.folder, "cache")
        os.environ.pop("LRA_DATA", None)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

"""Runs a file of tests: run.py FILE. Exit code 77, with a word, where nothing could run.

LRA_PROGRAM is the program lra, and PYTHONPATH has the folder of the module.
"""

import importlib.util
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
SKIPPED = 77


def main() -> int:
    if importlib.util.find_spec("numpy") is None:
        print("skipped: no numpy; install python3-numpy")
        return SKIPPED
    sys.path.insert(0, HERE)
    sys.path.append(os.path.dirname(HERE))  # encoder.py; behind the built module, beside whose source it is
    spec = importlib.util.spec_from_file_location("tests_in_file", sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    count = suite.countTestCases()
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout).run(suite)
    if not result.wasSuccessful() or count == 0:
        return 1
    reasons = sorted({reason for _, reason in result.skipped})
    if reasons:
        print(f"skipped {len(result.skipped)} of {count}: {'; '.join(reasons)}")
    return SKIPPED if len(result.skipped) == count else 0


sys.exit(main())

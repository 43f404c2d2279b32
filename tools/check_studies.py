#!/usr/bin/env python3
"""Looks for every row of a separation study's table in the README.md beside its JSON file.

  tools/check_studies.py FILE.json ...      files of `lra study separation --json`; exits 1 if a row is missing
"""

import json
import pathlib
import sys


def cell(point):
    if point["mode"] == "theory":
        shares = (point[name] / point["trials"] for name in ("false_positives", "detections"))
        return f"{point['value']:.3f} ({', '.join(f'{share:.2f}' for share in shares)})"
    return f"{point['value']:.3f} / {point['reference']:.3f}"


def main():
    missing = 0
    for path in map(pathlib.Path, sys.argv[1:]):
        lines = (path.parent / "README.md").read_text().splitlines()
        rows = {}
        for point in json.loads(path.read_text())["points"]:
            rows.setdefault(point["kernel"], []).append(cell(point))
        for kernel, cells in rows.items():
            row = f"| {kernel} | {' | '.join(cells)} |"
            if row not in lines:
                print(f"{path}: README.md beside it has no row\n  {row}", file=sys.stderr)
                missing += 1
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that dataflow goes one way: a room includes only rooms to its left, itself, and base (ARCHITECTURE.md)."""

import pathlib
import re
import sys

ROOMS = ["base", "config", "kernel", "probe", "event", "identity", "aggregate", "policy", "sink", "agent"]
# Libraries that some rooms alone may see.
ONLY_IN = [
    (["probe"], re.compile(r"[<\"](bpf/|.*\.skel\.h)")),
    (["config"], re.compile(r"<(boost/|yaml-cpp/)")),
    (["base"], re.compile(r"<(spdlog/|cap-ng\.h)")),
    (["identity", "sink"], re.compile(r"<rapidjson/")),
    (["sink"], re.compile(r"<(zstd|microhttpd)\.h")),
    (["agent"], re.compile(r"<systemd/")),
]
INCLUDE = re.compile(r"^\s*#\s*include\s+([<\"][^>\"]+[>\"])")


def check(path, room):
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        include = INCLUDE.match(line)
        if not include:
            continue
        what = include.group(1)
        target = what[1:-1].split("/")[0]
        if what.startswith('"') and target in ROOMS and target not in allowed:
            yield f"{path}:{number}: {room}/ includes {what}, a room to its right"
        for owners, pattern in ONLY_IN:
            if pattern.match(what) and room not in owners:
                yield f"{path}:{number}: {what} may be included in {' and '.join(owners)} only"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent / "userspace"
    problems = []
    for folder in sorted(p for p in root.iterdir() if p.is_dir()):
        if folder.name not in ROOMS:
            problems.append(f"{folder}: a room that no rule knows; add it to {pathlib.Path(__file__).name}")
            continue
        for path in sorted(folder.glob("**/*")):
            if path.suffix in (".h", ".cc"):
                problems.extend(check(path, folder.name))
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

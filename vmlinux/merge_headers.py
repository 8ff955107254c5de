#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Merge headers that `bpftool btf dump ... format c` printed over one base BTF into one header.

Each kvm module's dump holds the whole of vmlinux plus the module's own types. Everything of the first
file and what the further ones add is kept, in their order (bpftool sorts by dependency, so nothing is
used before it is defined). A module may repeat an enum of vmlinux without its name; C has one name
space for enumerators, so the repeat is dropped.
"""

import re
import sys

HEAD = "#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)\n#endif\n"
TAIL = "#ifndef BPF_NO_PRESERVE_ACCESS_INDEX\n#pragma clang attribute pop"
NAMED = re.compile(r"^(struct|union|enum) (\w+) \{")
FIRST_ENUMERATOR = re.compile(r"^(?:typedef )?enum(?: \w+)? \{\n\t(\w+)")


def blocks(text):
    """Top-level declarations: from a line in column 0 to the line that closes it."""
    block = []
    for line in text.splitlines():
        if not line.strip() and not block:
            continue
        block.append(line)
        opened = block[0].rstrip().endswith("{")
        if (not opened and line.rstrip().endswith(";")) or (opened and line.startswith("}")):
            yield "\n".join(block)
            block = []


def keys(block):
    """What a block defines: its tag, or else itself, and the first enumerator of an enum."""
    named = NAMED.match(block)
    yield named.group(1, 2) if named else block
    enumerator = FIRST_ENUMERATOR.match(block)
    if enumerator:
        yield enumerator.group(1)


def main(paths):
    seen, kept = set(), []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            head, rest = file.read().split(HEAD, 1)
        body, tail = rest.split(TAIL, 1)
        for block in blocks(body):
            repeated = any(key in seen for key in keys(block))
            seen.update(keys(block))
            if not repeated:
                kept.append(block)
    print(head + HEAD, *kept, TAIL + tail, sep="\n\n", end="")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: merge_headers.py FIRST.h [NEXT.h ...] > vmlinux.h")
    main(sys.argv[1:])

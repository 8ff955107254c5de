#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: validate_records.py FILE.ndjson...

Holds files of records against packaging/schemas/events.schema.json. Each record has to be an object of a known type. The
first of each set of members in a file, the first twenty, and every 500th after them are held against the schema in
whole: runs have hundred thousands of the same. A last line without its end is one that was being written when the
agent was killed, and is left out.
"""
import json
import pathlib
import sys

from jsonschema import Draft202012Validator

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "packaging/schemas/events.schema.json"
MOST_ERRORS = 20


def shape(value):
    if isinstance(value, dict):
        return tuple((key, shape(inner)) for key, inner in value.items())
    if isinstance(value, list):
        return tuple(sorted({str(shape(inner)) for inner in value}))
    return type(value).__name__


def main(paths):
    schema = json.loads(SCHEMA.read_text())
    # The schema of the type alone: the whole one would try them all.
    by_type = {
        name: Draft202012Validator({**schema["$defs"]["records"][name], "$defs": schema["$defs"]})
        for name in schema["$defs"]["records"]
    }
    errors, validated, seen_types = [], 0, set()
    for path in paths:
        seen, number = set(), 0
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith("\n"):
                    break
                try:
                    record = json.loads(line)
                    checker = by_type[record["type"]]
                except (ValueError, KeyError, TypeError) as error:
                    errors.append(f"{path}:{number}: no record of a known type: {error!r}")
                    continue
                kind = (record["type"], shape(record))
                if kind in seen and number > 20 and number % 500:
                    continue
                seen.add(kind)
                seen_types.add(record["type"])
                validated += 1
                for error in checker.iter_errors(record):
                    where = "/".join(map(str, error.path))
                    errors.append(f"{path}:{number}: {record['type']}/{where}: {error.message[:200]}")
    for error in errors[:MOST_ERRORS]:
        print(error)
    print(f"{len(paths)} files, {validated} records in whole, {len(errors)} errors; types: {' '.join(sorted(seen_types))}")
    return 1 if errors or not validated else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

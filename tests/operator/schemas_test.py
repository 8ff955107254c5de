#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The JSON Schemas that are shipped: that they take what isoscope writes and reads, and little else."""
import copy
import json
import pathlib
import re
import unittest

import yaml
from jsonschema import Draft202012Validator

from core_yaml import documents

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "packaging/schemas"
GOLDEN = ROOT / "tests/data/golden"


def validator(name):
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def golden_records():
    for path in sorted(GOLDEN.glob("*.ndjson")):
        for line in path.read_text().splitlines():
            yield json.loads(line)


def types_in_the_code():
    """The words that are handed to NdjsonSink::line()."""
    found = set()
    for path in (ROOT / "userspace/sink").glob("ndjson*.cc"):
        text = path.read_text()
        for first in re.findall(r'(?<!template)\bline\(\s*("[^;]*?),\s*\w+[.\w()]*,|\bline\(([^;"]*\?[^;]*?),\s*\w', text):
            found.update(re.findall(r'"(\w+)"', first[0] or first[1]))
        for chosen in re.findall(r"const char\* type = ([^;]*);", text):
            found.update(re.findall(r'"(\w+)"', chosen))
    return found


def members(value, path=()):
    """Every object below a value with its path, itself too."""
    if isinstance(value, dict):
        yield path
        for key, inner in value.items():
            yield from members(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from members(inner, (*path, index))


def at(value, path):
    for step in path:
        value = value[step]
    return value


class Events(unittest.TestCase):
    # Objects whose names of members are those of the machine or of the user.
    OPEN = {"labels", "causes", "classes", "maps", "invariants"}

    @classmethod
    def setUpClass(cls):
        cls.schema = validator("events")
        cls.records = list(golden_records())

    def refuses(self, record):
        return not self.schema.is_valid(record)

    def test_takes_every_golden_record(self):
        self.assertGreater(len(self.records), 30)
        for record in self.records:
            with self.subTest(type=record["type"], seq=record["seq"]):
                self.assertEqual([error.message for error in self.schema.iter_errors(record)], [])

    def test_types_are_those_of_the_code_and_of_the_golden_files(self):
        types = set(self.schema.schema["$defs"]["records"])
        self.assertEqual(types, set(self.schema.schema["properties"]["type"]["enum"]))
        self.assertEqual(types, types_in_the_code())
        self.assertEqual(types, {record["type"] for record in self.records})

    def test_members_are_in_a_golden_file(self):
        def names(value):
            if isinstance(value, dict):
                yield from value.get("properties", {})
            for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
                yield from names(inner)

        seen = {str(step) for record in self.records for path in members(record) for step in (*path, *at(record, path))}
        # What only some machines have, which other tests look at.
        self.assertEqual(set(names(self.schema.schema)) - seen, {"initial_namespaces", "failed_entry", "kernel_refused"})

    def test_refuses_a_member_too_many_anywhere(self):
        for record in self.records:
            for path in members(record):
                if path and path[-1] in self.OPEN and len(path) == 1:
                    continue
                changed = copy.deepcopy(record)
                at(changed, path)["tpyo"] = 1
                with self.subTest(type=record["type"], path=path):
                    self.assertTrue(self.refuses(changed))

    def test_refuses_a_record_without_what_it_must_have(self):
        for record in self.records:
            must = {"schema", "type", "time", "mono_ns", "seq", "host"}
            must.update(self.schema.schema["$defs"]["records"][record["type"]]["required"])
            for key in must:
                changed = copy.deepcopy(record)
                del changed[key]
                with self.subTest(type=record["type"], key=key):
                    self.assertTrue(self.refuses(changed))

    def test_refuses_values_of_another_kind(self):
        bad = [
            ("unit", "time", "2024-05-01 10:00:00Z"),
            ("unit", "time", "2024-05-01T10:00:00.37Z"),
            ("unit", "mono_ns", 1000250000000),
            ("unit", "mono_ns", "01"),
            ("unit", "seq", -1),
            ("unit", "seq", "1"),
            ("unit", "state", "strated"),
            ("unit", "type", "units"),
            ("vm_exits", "count", 1.5),
            ("vm_exits", "sum_ns", "43700"),
            ("vm_exits", "reason_code", "0x400"),
            ("vm_exit", "guest_rip", 18446744071578847803),
            ("switch", "reason", "involutary"),
            ("unit_resources", "bottleneck", "disk"),
            ("crossing", "direction", "escpae"),
            ("crossing", "mechanism", "mount"),
            ("violation", "resource", ["namespace/network"]),
            ("attempt", "errno", 0),
            ("access", "errno", 13),
            ("ledger", "final", 0),
        ]
        for name, key, value in bad:
            changed = copy.deepcopy(next(record for record in self.records if record["type"] == name))
            self.assertFalse(self.refuses(changed))
            changed[key] = value
            with self.subTest(type=name, key=key, value=value):
                self.assertTrue(self.refuses(changed))

    def test_a_violation_has_one_event(self):
        violation = copy.deepcopy(next(record for record in self.records if record["type"] == "violation"))
        violation["access"] = next(record for record in self.records if "access" in record)["access"]
        self.assertTrue(self.refuses(violation))
        del violation["access"], violation["crossing"]
        self.assertTrue(self.refuses(violation))


def is_taken(schema, path):
    """By a reader of YAML that knows nothing of isoscope, and the schema."""
    try:
        found = documents(path)
    except (yaml.YAMLError, UnicodeDecodeError):
        return False
    return all(document is None or schema.is_valid(document) for document in found)


class OfFiles(unittest.TestCase):
    def check(self, kind, schema, only_isoscope_refuses):
        good, bad = (sorted((ROOT / f"tests/data/{kind}/{which}").glob("*.yaml")) for which in ("good", "bad"))
        self.assertTrue(good and bad)
        for path in good:
            with self.subTest(good=path.name):
                errors = [error.message for one in documents(path) if one is not None for error in schema.iter_errors(one)]
                self.assertEqual(errors, [])
        taken = {path.stem for path in bad if is_taken(schema, path)}
        self.assertEqual(taken, only_isoscope_refuses)

    def test_config(self):
        self.check(
            "config",
            validator("config"),
            # Of YAML itself, or of several values.
            {"key_twice", "anchor", "second_document", "output_twice_by_path", "interval_too_short", "vcpu_backwards"}
            # Names of exit reasons are the kernel's.
            | {"reason_unknown"},
        )

    def test_keys_are_those_of_the_program(self):
        # Which lists them where one is far from all; a test of the program holds it to this text.
        line = (ROOT / "tests/data/config/bad/key_far.yaml").read_text().splitlines()[0]
        self.assertEqual(set(line.split("; expected ")[1].split(", ")), set(validator("config").schema["properties"]))

    def test_policies(self):
        self.check(
            "policies",
            validator("policy"),
            # Of YAML itself.
            {"anchor", "tag", "duplicate_key", "duplicate_key_in_rule"}
            # Of several rules or policies.
            | {"rule_twice", "two_policies_one_name", "expect_twice", "expect_unknown_rule"}
            # Of words that are good, but not together.
            | {"action_of_another_event", "action_of_another_event_in_a_list", "mechanism_of_an_access"}
            | {"namespace_of_an_invariant", "resource_glob_matches_nothing"},
        )

    def test_the_default_policy(self):
        for document in documents(ROOT / "packaging/policies/default.yaml"):
            validator("policy").validate(document)


if __name__ == "__main__":
    unittest.main()

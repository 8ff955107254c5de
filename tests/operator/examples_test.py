#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The examples for collectors hang together, and read what the example configurations of isoscope write.

Vector, Fluent Bit and the OpenTelemetry collector are not in Debian and are not run; rsyslog has a test of its own.
"""
import json
import pathlib
import re
import unittest

from jsonschema import Draft202012Validator

from core_yaml import documents

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "packaging/examples"


def one(name):
    (document,) = documents(EXAMPLES / name)
    return document


def outputs(name):
    return {output["path"]: output["format"] for output in one(f"config/{name}.yaml")["outputs"]}


def record_types():
    return set(json.loads((ROOT / "packaging/schemas/events.schema.json").read_text())["$defs"]["records"])


class Examples(unittest.TestCase):
    def test_every_configuration_is_by_the_schema(self):
        schema = Draft202012Validator(json.loads((ROOT / "packaging/schemas/config.schema.json").read_text()))
        paths = [*(EXAMPLES / "config").glob("*.yaml"), *(ROOT / "packaging/config").glob("*.yaml")]
        self.assertGreaterEqual(len(paths), 3)
        for path in paths:
            for document in documents(path):
                schema.validate(document)

    def test_rsyslog_and_fluent_bit_read_what_is_written(self):
        (written,) = outputs("isolation")
        self.assertIn(f'File="{written}"', (EXAMPLES / "rsyslog.conf").read_text())
        self.assertRegex((EXAMPLES / "fluent-bit.conf").read_text(), rf"(?m)^ +Path +{re.escape(written)}$")

    def test_fluent_bit(self):
        text = (EXAMPLES / "fluent-bit.conf").read_text()
        (parser,) = re.findall(r"(?m)^ +Parser +(\S+)$", text)
        (parsers,) = re.findall(r"(?m)^ +Parsers_File +(\S+)$", text)
        self.assertRegex((EXAMPLES / parsers).read_text(), rf"(?m)^ +Name +{parser}$")
        for kind, new in re.findall(r"Rule +\$type \^(\w+)\$ (\S+)", text):
            self.assertIn(kind, record_types())
            self.assertRegex(text, rf"(?m)^ +Match +{re.escape(new)}$")
        tags = set(re.findall(r"(?m)^ +Tag +(\S+)$", text)) | set(re.findall(r"Rule +\S+ \S+ (\S+)", text))
        self.assertEqual(set(re.findall(r"(?m)^ +Match +(\S+)$", text)), tags)

    def test_vector(self):
        config = one("vector.yaml")
        (source,) = config["sources"].values()
        self.assertEqual(source["include"], list(outputs("isolation")))
        routes = config["transforms"]["by_type"]["route"]
        made = set(config["sources"]) | set(config["transforms"]) | {"records.dropped"}
        made |= {f"by_type.{route}" for route in (*routes, "_unmatched")}
        used = {name for part in ("transforms", "sinks") for each in config[part].values() for name in each["inputs"]}
        self.assertLessEqual(used, made)
        words = set(re.findall(r'"(\w+)"', " ".join(routes.values())))
        self.assertTrue(words)
        self.assertLessEqual(words, record_types())

    def test_otel_collector(self):
        config = one("otel-collector.yaml")
        formats = {"logs": "otlp-logs", "metrics": "otlp-metrics"}
        for signal, pipeline in config["service"]["pipelines"].items():
            for part in ("receivers", "processors", "exporters"):
                self.assertLessEqual(set(pipeline[part]), set(config[part]))
            (receiver,) = pipeline["receivers"]
            (path,) = config["receivers"][receiver]["include"]
            self.assertEqual(outputs("collector")[path], formats[signal])
            self.assertIn(config["receivers"][receiver]["storage"], config["extensions"])
        self.assertLessEqual(set(config["service"]["extensions"]), set(config["extensions"]))


if __name__ == "__main__":
    unittest.main()

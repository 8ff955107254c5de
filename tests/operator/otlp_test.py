#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `-f otlp` writes, read by the protobuf definitions that OpenTelemetry publishes."""
import importlib
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

from google.protobuf import json_format

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEFINITIONS = ROOT / "tests/data/otlp"
GOLDEN = sorted((ROOT / "tests/data/golden").glob("*.otlp.jsonl"))


class Otlp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        files = [str(path.relative_to(DEFINITIONS)) for path in sorted(DEFINITIONS.rglob("*.proto"))]
        subprocess.run(["protoc", f"--proto_path={DEFINITIONS}", f"--python_out={cls.folder.name}", *files], check=True)
        sys.path.insert(0, cls.folder.name)
        logs = importlib.import_module("opentelemetry.proto.logs.v1.logs_pb2")
        metrics = importlib.import_module("opentelemetry.proto.metrics.v1.metrics_pb2")
        cls.messages = {"resourceLogs": logs.LogsData, "resourceMetrics": metrics.MetricsData}
        cls.lines = [line for path in GOLDEN for line in path.read_text().splitlines()]

    def parse(self, line):
        """Unknown fields, values out of range and of another type are errors."""
        (kind,) = json.loads(line)
        return kind, json_format.Parse(line, self.messages[kind]())

    def test_every_line_is_accepted(self):
        kinds = [self.parse(line)[0] for line in self.lines]
        self.assertEqual(set(kinds), set(self.messages))
        self.assertGreater(len(kinds), 15)

    def test_nothing_is_lost_on_the_way(self):
        for line in self.lines:
            kind, message = self.parse(line)
            again = json_format.MessageToDict(message, use_integers_for_enums=True)
            # Defaults are left out there: compare what the messages say.
            self.assertEqual(self.messages[kind]().FromString(message.SerializeToString()), message)
            self.assertEqual(json_format.ParseDict(again, self.messages[kind]()), message)

    def test_histograms_hold_together(self):
        points = 0
        for line in self.lines:
            kind, message = self.parse(line)
            if kind != "resourceMetrics":
                continue
            for metric in message.resource_metrics[0].scope_metrics[0].metrics:
                self.assertTrue(metric.name and metric.unit and metric.WhichOneof("data"))
                for point in metric.exponential_histogram.data_points:
                    self.assertEqual(point.zero_count + sum(point.positive.bucket_counts), point.count)
                    base = 2.0 ** (2.0**-point.scale)
                    top = point.positive.offset + len(point.positive.bucket_counts)
                    self.assertLessEqual(point.sum, point.count * base**top)
                    self.assertGreaterEqual(point.sum, point.count * base**point.positive.offset * 0.999 / 2)
                    points += 1
        self.assertGreater(points, 5)

    def test_mistakes_are_refused(self):
        line = next(line for line in self.lines if "timeUnixNano" in line and "resourceLogs" in line)
        for old, new in (
            ('"timeUnixNano"', '"timeUnixNanos"'),
            ('"severityNumber":9', '"severityNumber":"nine"'),
            ('"intValue":"', '"intValue":"x'),
            ('"stringValue"', '"textValue"'),
        ):
            with self.subTest(new=new):
                self.assertIn(old, line)
                with self.assertRaises(json_format.ParseError):
                    self.parse(line.replace(old, new))


if __name__ == "__main__":
    unittest.main()

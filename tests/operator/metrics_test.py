#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Alerts, recording rules and the dashboard: they parse, behave as their tests say, and ask for metrics that are there."""
import json
import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "packaging/prometheus"
RULES = sorted(PROMETHEUS.glob("*.yml"))
DASHBOARD = ROOT / "packaging/grafana/isoscope.json"
# What Prometheus itself and node_exporter make.
OTHERS = {"up": set(), "node_textfile_mtime_seconds": {"file"}}
SCRAPED = {"job", "instance"}

KEYWORDS = {"and", "or", "unless", "offset", "bool"}
GROUPING = r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)"


def promtool(*arguments):
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True)


def exposed():
    """Metrics of the golden exposition, with the names of their labels."""
    metrics = {}
    for line in (ROOT / "tests/data/golden/window.prom").read_text().splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
                metrics[name + suffix] = set()
        elif not line.startswith("#"):
            name, labels = re.match(r"(\w+)(?:\{(.*)\})? ", line).groups()
            metrics[name].update(re.findall(r'(\w+)="', labels or ""))
    return metrics


def rules():
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def panels():
    dashboard = json.loads(DASHBOARD.read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def with_values(expr):
    for variable, value in (("$__rate_interval", "5m"), ("$__range", "1h")):
        expr = expr.replace(variable, value)
    return re.sub(r"\$\w+", ".*", expr)


def dashboard_expressions():
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in panels():
        for target in panel["targets"]:
            yield with_values(target["expr"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
            yield f"count by ({label}) ({with_values(metric)})"


def asked_for(expr):
    """Metrics of an expression with the labels that are asked of them; labels to group by under None."""
    asked = {None: set()}
    for _, labels in re.findall(GROUPING, expr):
        asked[None].update(re.findall(r"\w+", labels))
    rest = re.sub(GROUPING, " ", expr)
    rest = re.sub(r"\[[^\]]*\]|\boffset\s+\w+", " ", rest)
    for name, matchers in re.findall(r"([a-zA-Z_:][\w:]*)\s*(\{(?:[^}\"]|\"[^\"]*\")*\})?(?!\s*\()(?![\w:])", rest):
        if name not in KEYWORDS:
            asked.setdefault(name, set()).update(re.findall(r"(\w+)\s*[=!]", re.sub(r'"[^"]*"', "", matchers)))
    return asked


class Rules(unittest.TestCase):
    def test_promtool_takes_them(self):
        for path in RULES:
            result = promtool("check", "rules", path)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_behave_as_their_tests_say(self):
        result = promtool("test", "rules", *sorted((PROMETHEUS / "tests").glob("*.yml")))
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_every_alert_and_record_is_tested(self):
        tests = "".join(path.read_text() for path in (PROMETHEUS / "tests").glob("*.yml"))
        for rule in rules():
            if "alert" in rule:
                self.assertRegex(tests, rf"\b{rule['alert']}\b")

    def test_alerts_say_how_bad_and_what(self):
        for rule in rules():
            if "alert" in rule:
                self.assertIn(rule["labels"]["severity"], {"critical", "warning", "info"})
                self.assertTrue(rule["annotations"]["summary"])


class Expressions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.metrics = {name: labels | SCRAPED | {"le"} for name, labels in exposed().items()}
        cls.metrics.update({name: labels | SCRAPED for name, labels in OTHERS.items()})
        for rule in rules():
            if "record" in rule:
                asked = asked_for(rule["expr"])
                cls.metrics[rule["record"]] = asked[None] or set().union(*(cls.metrics[name] for name in asked if name))

    def expressions(self):
        for rule in rules():
            yield rule["expr"]
        yield from dashboard_expressions()

    def test_ask_for_what_there_is(self):
        seen = set()
        for expr in self.expressions():
            asked = asked_for(expr)
            grouped = asked.pop(None)
            self.assertTrue(asked, expr)
            for name, labels in asked.items():
                with self.subTest(expr=expr, metric=name):
                    self.assertIn(name, self.metrics)
                    self.assertLessEqual(labels, self.metrics[name])
                    seen.add(name)
            known = set().union(*(self.metrics[name] for name in asked))
            with self.subTest(expr=expr):
                self.assertLessEqual(grouped, known)
        self.assertGreater(len(seen), 20)

    def test_mistakes_are_found(self):
        asked = asked_for('sum by (instnce) (rate(isoscope_vm_exit_total{vmm="x", part!="halted"}[5m])) > 3 and up offset 10m')
        self.assertEqual(asked, {None: {"instnce"}, "isoscope_vm_exit_total": {"vmm", "part"}, "up": set()})
        self.assertNotIn("isoscope_vm_exit_total", self.metrics)

    def test_recorded_metrics_are_used(self):
        asked = set().union(*map(asked_for, self.expressions()))
        for rule in rules():
            if "record" in rule:
                self.assertIn(rule["record"], asked)

    def test_promtool_takes_those_of_the_dashboard(self):
        group = {"name": "d", "rules": [{"record": f"d:{i}", "expr": e} for i, e in enumerate(dashboard_expressions())]}
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump({"groups": [group]}, file)
            file.flush()
            result = promtool("check", "rules", file.name)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


class Dashboard(unittest.TestCase):
    def test_panels_have_places_ids_and_the_chosen_source(self):
        dashboard = json.loads(DASHBOARD.read_text())
        ids = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(dashboard["templating"]["list"][0]["type"], "datasource")
        taken = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24)
            cells = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
            self.assertFalse(cells & taken, panel["title"])
            taken |= cells
        for panel in panels():
            self.assertTrue(panel["title"] and panel["targets"])
            for one in (panel, *panel["targets"]):
                self.assertEqual(one["datasource"]["uid"], "${datasource}")

    def test_variables_that_are_used_are_there(self):
        dashboard = json.loads(DASHBOARD.read_text())
        names = {variable["name"] for variable in dashboard["templating"]["list"]}
        used = set(re.findall(r"\$\{?(\w+)", DASHBOARD.read_text()))
        self.assertEqual(used - {"__rate_interval", "__range", "__all"}, names)


if __name__ == "__main__":
    unittest.main()

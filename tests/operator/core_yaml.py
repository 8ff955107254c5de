# SPDX-License-Identifier: Apache-2.0
"""YAML as editors and JSON Schema see it: the core schema of YAML 1.2, in which `on` and `yes` are words."""
import re

import yaml


class CoreLoader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}


for tag, pattern, first in (
    ("null", r"^(~|null|)$", ["~", "n", ""]),
    ("bool", r"^(true|false)$", ["t", "f"]),
    ("int", r"^[-+]?[0-9]+$", list("-+0123456789")),
    ("float", r"^[-+]?[0-9]+\.[0-9]+$", list("-+0123456789")),
):
    CoreLoader.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), first)


def construct_decimal(loader, node):
    return int(loader.construct_scalar(node))  # 010 is ten


CoreLoader.add_constructor("tag:yaml.org,2002:int", construct_decimal)


def documents(path):
    with open(path, encoding="utf-8") as file:
        return list(yaml.load_all(file, CoreLoader))

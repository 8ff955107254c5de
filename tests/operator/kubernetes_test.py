#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The manifests for Kubernetes parse and hang together, and isoscope takes the configuration in them.

No cluster and no kustomize is asked: what they would make of the manifests is not seen here.
"""
import json
import os
import pathlib
import re
import subprocess
import unittest

from jsonschema import Draft202012Validator

from core_yaml import documents

ROOT = pathlib.Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "packaging/kubernetes"
BASE = KUBERNETES / "base"
COMPONENTS = sorted(path.parent for path in (KUBERNETES / "components").glob("*/kustomization.yaml"))


def one(path):
    (document,) = documents(path)
    return document


def pod_of(path):
    return one(path)["spec"]["template"]["spec"]


class Manifests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kustomization = one(BASE / "kustomization.yaml")
        cls.daemonset = one(BASE / "daemonset.yaml")
        cls.pod = pod_of(BASE / "daemonset.yaml")
        (cls.container,) = cls.pod["containers"]
        cls.config = one(BASE / "config.yaml")

    def generated(self):
        """Keys of the ConfigMap with their files."""
        (generator,) = self.kustomization["configMapGenerator"]
        pairs = [entry.rpartition("=")[::2] for entry in generator["files"]]
        return {key or pathlib.PurePath(path).name: BASE / path for key, path in pairs}

    def test_every_manifest_is_part_of_something(self):
        for folder in (BASE, *COMPONENTS):
            kustomization = one(folder / "kustomization.yaml")
            named = set(kustomization.get("resources", [])) | {p["path"] for p in kustomization.get("patches", [])}
            if folder == BASE:
                named |= {str(path.relative_to(BASE)) for path in self.generated().values()}
            there = {str(path.relative_to(folder)) for path in folder.rglob("*.yaml")} - {"kustomization.yaml"}
            self.assertEqual(named, there, folder)

    def test_manifests_are_objects_with_kind_and_name(self):
        for folder in (BASE, *COMPONENTS):
            for name in one(folder / "kustomization.yaml").get("resources", []):
                for manifest in documents(folder / name):
                    self.assertTrue(manifest["apiVersion"] and manifest["kind"] and manifest["metadata"]["name"])

    def test_the_daemonset_selects_its_pods(self):
        spec = self.daemonset["spec"]
        labels = spec["template"]["metadata"]["labels"]
        self.assertLessEqual(spec["selector"]["matchLabels"].items(), labels.items())
        self.assertIn(self.container["image"], [image["name"] for image in self.kustomization["images"]])

    def check_mounts(self, containers, volumes):
        mounts = [mount for container in containers for mount in container.get("volumeMounts", [])]
        self.assertEqual({mount["name"] for mount in mounts}, {volume["name"] for volume in volumes})
        self.assertEqual(len({mount["mountPath"] for mount in mounts}), len(mounts))
        paths = {volume["name"]: volume["hostPath"]["path"] for volume in volumes if "hostPath" in volume}
        for mount in mounts:
            self.assertIs(mount["readOnly"], True, mount)
            if mount["name"] in paths:
                self.assertEqual(mount["mountPath"], paths[mount["name"]], "isoscope looks where the host has it")

    def test_mounts_and_volumes_belong_together(self):
        self.check_mounts(self.pod["containers"], self.pod["volumes"])
        for folder in COMPONENTS:
            patch = pod_of(folder / "daemonset.yaml")
            self.check_mounts(patch["containers"], patch.get("volumes", []))

    def test_components_change_what_there_is(self):
        for folder in COMPONENTS:
            for patch in one(folder / "kustomization.yaml")["patches"]:
                manifest = one(folder / patch["path"])
                self.assertEqual((manifest["kind"], manifest["metadata"]["name"]), ("DaemonSet", "isoscope"))
                for container in manifest["spec"]["template"]["spec"]["containers"]:
                    if "image" not in container:
                        self.assertEqual(container["name"], self.container["name"])

    def test_folders_of_runtimes_are_those_that_are_read(self):
        read = set(re.findall(r'"(/(?:run|var)/[^"]+)"', (ROOT / "userspace/identity/runtime_files.cc").read_text()))
        pods = [self.pod, *(pod_of(folder / "daemonset.yaml") for folder in COMPONENTS)]
        mounted = {volume["hostPath"]["path"] for pod in pods for volume in pod.get("volumes", []) if "hostPath" in volume}
        self.assertLessEqual({path for path in mounted if path.startswith(("/run", "/var"))}, read)

    def test_the_configuration_is_where_isoscope_looks(self):
        (volume,) = [volume for volume in self.pod["volumes"] if "configMap" in volume]
        (generator,) = self.kustomization["configMapGenerator"]
        self.assertEqual(volume["configMap"]["name"], generator["name"])
        items = {item["key"]: item["path"] for item in volume["configMap"]["items"]}
        self.assertEqual(set(items), set(self.generated()))
        (mount,) = [mount for mount in self.container["volumeMounts"] if mount["name"] == volume["name"]]
        files = {f"{mount['mountPath']}/{path}" for path in items.values()}
        command = self.container["command"]
        self.assertIn(command[command.index("--config") + 1], files)
        for path in files - {command[-1]}:
            self.assertEqual(os.path.dirname(path), self.config["policy"])

    def test_probes_ask_where_it_listens(self):
        for probe, page in (("startupProbe", "healthz"), ("livenessProbe", "healthz"), ("readinessProbe", "readyz")):
            self.assertEqual(self.container[probe]["exec"]["command"][-1], f"http://{self.config['listen']}/{page}")
        served = (ROOT / "userspace/sink/metrics_server.cc").read_text()
        for page in ("/healthz", "/readyz", "/metrics"):
            self.assertIn(f'"{page}"', served)
        proxy = pod_of(KUBERNETES / "components/scrape/daemonset.yaml")["containers"][0]
        self.assertIn(f"--upstream=http://{self.config['listen']}/", proxy["args"])

    def test_it_may_do_what_it_needs_and_no_more(self):
        self.assertIs(self.pod["hostPID"], True)
        for key in ("hostNetwork", "hostIPC"):
            self.assertNotIn(key, self.pod)
        security = self.container["securityContext"]
        self.assertIs(security["readOnlyRootFilesystem"], True)
        self.assertIs(security["privileged"], False)
        self.assertEqual(security["capabilities"]["drop"], ["ALL"])
        added = security["capabilities"]["add"]
        self.assertEqual(set(added), {"BPF", "PERFMON", "SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH"})
        needed = re.findall(r'Needed\{CAP_\w+, "CAP_(\w+)"\}', (ROOT / "userspace/probe/discover.cc").read_text())
        self.assertTrue(needed)
        self.assertLessEqual(set(needed), set(added))
        # The API refuses the one with the other.
        self.assertIs(security["allowPrivilegeEscalation"], "SYS_ADMIN" in added)
        self.assertIn("memory", self.container["resources"]["limits"])

    def test_the_schemas_and_isoscope_take_what_is_in_the_configmap(self):
        for key, path in self.generated().items():
            schema = json.loads((ROOT / f"packaging/schemas/{'config' if key == 'config.yaml' else 'policy'}.schema.json").read_text())
            Draft202012Validator(schema).validate(one(path))
            if key != "config.yaml":
                result = subprocess.run([os.environ["ISOSCOPE"], "policy", "validate", path], capture_output=True, text=True)
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_the_image_has_what_the_pod_calls(self):
        text = (ROOT / "packaging/Containerfile").read_text()
        (entry,) = re.findall(r'^ENTRYPOINT \["(.*)"\]$', text, re.MULTILINE)
        self.assertIn(entry, self.container["command"])
        self.assertIn(f"exe: {entry},", (BASE / "policies/isoscope-itself.yaml").read_text())
        for package in ("curl", "util-linux"):
            self.assertRegex(text, rf"apt-get install .*\b{package}\b")


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""usage: pod_bundle.py BUNDLE ID

Makes of a bundle of `runc spec`, whose root file system is there, one that runs the container of the DaemonSet in
packaging/kubernetes as a runtime of Kubernetes would: its command, capabilities, mounts and ConfigMap, in the cgroup of a
pod, with a cgroup namespace of its own. The seccomp profile of the runtime is left out.
"""
import json
import pathlib
import shutil
import sys

import yaml

BASE = pathlib.Path(__file__).resolve().parents[2] / "packaging/kubernetes/base"


def load(name):
    return yaml.safe_load((BASE / name).read_text())


def config_map(bundle, volume):
    """The folder that a mount of the ConfigMap shows."""
    folder = bundle / "config-map"
    entries = load("kustomization.yaml")["configMapGenerator"][0]["files"]
    files = {(key or path): path for key, _, path in (entry.rpartition("=") for entry in entries)}
    for item in volume["items"]:
        target = folder / item["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(BASE / files[item["key"]], target)
    return folder


def main(bundle, identity):
    pod = load("daemonset.yaml")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    security = container["securityContext"]
    spec = json.loads((bundle / "config.json").read_text())
    capabilities = ["CAP_" + name for name in security["capabilities"]["add"]]
    spec["process"].update(
        terminal=False,
        args=container["command"],
        noNewPrivileges=not security["allowPrivilegeEscalation"],
        capabilities={kind: capabilities for kind in ("bounding", "effective", "permitted")},
    )
    spec["root"] = {"path": "rootfs", "readonly": security["readOnlyRootFilesystem"]}
    spec["linux"]["cgroupsPath"] = f"/kubepods/pod11111111-2222-3333-4444-555555555555/{identity}"
    kinds = ["network", "ipc", "uts", "mount", "cgroup"] + ([] if pod["hostPID"] else ["pid"])
    spec["linux"]["namespaces"] = [{"type": kind} for kind in kinds]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        source = volume["hostPath"]["path"] if "hostPath" in volume else config_map(bundle, volume["configMap"])
        spread = "rslave" if mount.get("mountPropagation") == "HostToContainer" else "rprivate"
        spec["mounts"].append(
            {"destination": mount["mountPath"], "source": str(source), "type": "bind", "options": ["rbind", "ro", spread]}
        )
    # What containerd writes down, where isoscope finds the names.
    spec["annotations"] = {
        "io.kubernetes.cri.container-name": container["name"],
        "io.kubernetes.cri.sandbox-name": "isoscope-lab42",
        "io.kubernetes.cri.sandbox-namespace": "isoscope",
        "io.kubernetes.cri.sandbox-uid": "11111111-2222-3333-4444-555555555555",
        "io.kubernetes.cri.container-type": "container",
    }
    (bundle / "config.json").write_text(json.dumps(spec))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2])

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The container of the DaemonSet in packaging/kubernetes, run by runc as a pod's: with its capabilities, read-only mounts and
# a cgroup namespace of its own, isoscope becomes ready where the probes ask, and tells an escape of another container by its
# unit. Its own reading of /proc is no violation.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
id=$(printf 'c%.0s' {1..64})
victim=$(printf 'd%.0s' {1..64})
tasks=/run/containerd/io.containerd.runtime.v2.task
bundle=$tasks/k8s.io/$id

# The lab's own root file system is the image.
mkdir -p "$bundle/rootfs" /etc/isoscope
cp "$isoscope" /usr/bin/isoscope
[ -e /etc/machine-id ] || echo 0123456789abcdef0123456789abcdef >/etc/machine-id
mount --bind / "$bundle/rootfs"
runc spec --bundle "$bundle"
/usr/bin/python3 "$here/pod_bundle.py" "$bundle" "$id"
container.sh create-bundle "$PWD/victim" --cgroup "/docker/$victim" --hostpid --privileged --add "$tools/setns_to" -- sleep 600
container.sh start runc victim "$PWD/victim"

asked() { # PAGE   the status of an answer, asked for in the pod
    runc exec "$id" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9745 && printf "GET %s HTTP/1.0\r\n\r\n" "$0" >&3 && read -r _ status _ <&3 && echo "$status"' "$1"
}
is_ready() { [ "$(asked /readyz)" = 200 ]; }
told() { grep '"type":"violation"' "$bundle/log" | grep -q '"crossing":'; }
keep() { cp "$bundle/log" agent.log; }

trap 'keep; runc delete --force "$id" || true; clean_up' EXIT
runc run --detach --bundle "$bundle" "$id" </dev/null >"$bundle/log" 2>&1 || fail "runc: $(cat "$bundle/log")"
wait_for 240 "the agent to be ready" is_ready
expect_equal "alive" 200 "$(asked /healthz)"

container.sh exec runc victim /bin/setns_to 1 mnt >/dev/null
wait_for 60 "the violation" told
runc kill "$id" TERM
ended() { grep -q '"type":"ledger".*"final":true' "$bundle/log"; }
wait_for 60 "the last records" ended
keep
grep '^{' agent.log >"$records"

expect_equal "violations" "container $victim mnt host" "$(query 'select(.type == "violation" and .crossing)
    | [.unit.kind, .unit.id, .crossing.namespaces[].type, .crossing.to.unit.kind] | join(" ")')"
expect_equal "violations of the agent" '' "$(query --arg id "$id" 'select(.type == "violation" and .unit.id == $id) | .message')"
expect_equal "the agent's own unit" "container $id isoscope-lab42/isoscope" "$(query --arg id "$id" \
    'select(.type == "unit" and .unit.id == $id and .pod) | [.unit.kind, .unit.id, .unit.name] | join(" ")' | sort -u)"
expect_ledger_closed
container.sh stop runc victim

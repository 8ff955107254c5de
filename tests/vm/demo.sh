#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The main job on real input, inside the lab: a Linux guest and two containers, one of which reaches for the host.
# Arguments go to isoscope run.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
root=$here/../..
tools=$root/build/release/tests/vm

say() { echo "demo: $*" >&2; }

container_id() { printf '%s' "$1" | sha256sum | cut -d' ' -f1; }

start_container() {
    local name=$1 bundle=/run/demo/$1
    shift
    "$here/container.sh" create-bundle "$bundle" --cgroup "/docker/$(container_id "$name")" "$@" -- sleep 600
    "$here/container.sh" start runc "$name" "$bundle"
    say "container $name ($(container_id "$name" | cut -c1-12)) runs"
}

mkdir -p /run/demo
"$root/build/isoscope" run "$@" &
agent=$!
# 2: the options were wrong, and the agent has said so.
trap 'kill -TERM $agent 2>/dev/null || true' EXIT
sleep 2
kill -0 $agent 2>/dev/null || { wait $agent; exit $?; }

say "the guest web boots under KVM"
"$here/linux_guest.sh" --name web --seconds 6 >/run/demo/web.log 2>&1 &
guest=$!
start_container db
start_container app --hostpid --privileged --add "$tools/setns_to"
sleep 2
say "a process of app enters the host's mount and network namespaces"
"$here/container.sh" exec runc app /bin/setns_to 1 mnt,net >/dev/null || { say "it could not"; exit 1; }
say "waiting for the guest to power off"
wait $guest || { say "the guest failed:"; tail -5 /run/demo/web.log >&2; exit 1; }
"$here/container.sh" stop runc app
"$here/container.sh" stop runc db
sleep 1

trap - EXIT
kill -INT $agent 2>/dev/null || true
wait $agent

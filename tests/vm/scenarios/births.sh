#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clone3 with CLONE_INTO_CGROUP gives no attach event. A container's process that gives birth outside of its container's
# cgroup is a violation; below it is not, nor is what the host's software puts into the container's cgroup, as runtimes do.
# So is a process that moves itself out.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
id=$(printf 'e%.0s' {1..64})
cgroups=/sys/fs/cgroup

in_box() { container.sh exec runc box "$@"; }

mkdir -p "$cgroups/outside" # before the container: a cgroup of the host's
container.sh create-bundle "$PWD/box" --cgroup "/docker/$id" --privileged --no-cgroupns --add "$tools/clone_into" -- sleep 600
container.sh start runc box "$PWD/box"
in_box mkdir /cgroups
in_box mount -t cgroup2 none /cgroups
in_box mkdir "/cgroups/docker/$id/below"
start_agent -i 60s --events crossings

clone_into "$cgroups/docker/$id" true
clone_into "$cgroups/outside" true
in_box clone_into "/cgroups/docker/$id/below" true
in_box clone_into /cgroups/outside cat /proc/self/cgroup >where
expect_equal "where the child was born" 0::/outside "$(cat where)"
# shellcheck disable=SC2016 # for that shell
in_box sh -c 'echo $$ >/cgroups/outside/cgroup.procs && cat /proc/self/cgroup' >where
expect_equal "where it moved itself" 0::/outside "$(cat where)"
wait_for 30 "the first violation" grep -qF clone_into_cgroup "$records"
wait_for 30 "the second violation" grep -qF '"mechanism":"cgroup_attach"' "$records"
stop_agent
expect_ledger_closed
expect_equal "violations" "container $id leave_cgroup /outside clone_into_cgroup critical
container $id leave_cgroup /outside cgroup_attach critical" "$(records_of violation | jq -r '[.unit.kind, .unit.id, .crossing.direction, .crossing.to.cgroup, .crossing.mechanism,
    .policy.severity] | join(" ")')"
container.sh stop runc box
rmdir "$cgroups/outside"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A host whose controllers belong to cgroup v1: containers are told apart by the hierarchy of pids, and an escape from one is
# seen, as is a release_agent.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

readonly top=/sys/fs/cgroup
readonly id=f00dfeedf00dfeedf00dfeedf00dfeedf00dfeedf00dfeedf00dfeedf00dfeed

# A controller can leave v2 when no cgroup there has it, which is some time after they were removed.
free_controllers() {
    find $top -depth -mindepth 1 -type d -exec rmdir {} \; || true
    tr ' ' '\n' <$top/cgroup.subtree_control | while read -r controller; do
        echo "-$controller" >$top/cgroup.subtree_control
    done
    mkdir -p v1
    wait_for 60 "the controllers to leave v2" mount -t cgroup -o pids cgroup v1
    umount v1
}

mount_v1() { # CONTROLLER...
    umount $top
    mount -t tmpfs tmpfs $top
    for controller in "$@"; do
        mkdir "$top/$controller"
        mount -t cgroup -o "$controller" cgroup "$top/$controller"
    done
}

free_controllers
# Kernels without CONFIG_MEMCG_V1 keep memory in v2, which is followed then wherever it is mounted.
if mount -t cgroup -o memory cgroup /mnt 2>/dev/null; then
    umount /mnt
    mount_v1 pids memory cpu cpuacct cpuset devices freezer blkio
    mkdir $top/unified
    mount -t cgroup2 cgroup2 $top/unified
    mkdir $top/unified/other # none of the units
else
    mount_v1 pids cpu cpuacct devices freezer blkio
fi
"$isoscope" check >check.txt
grep -F 'the pids hierarchy at /sys/fs/cgroup/pids' check.txt || fail "check does not name the hierarchy: $(cat check.txt)"

container.sh create-bundle "$PWD/old" -- sh -c 'while :; do :; done'
container.sh create-bundle "$PWD/box" --cgroup /docker/$id --privileged --hostpid --no-cgroupns --add "$tools/setns_to" -- sleep 600
container.sh start runc old "$PWD/old"
start_agent -i 2s
container.sh start runc box "$PWD/box"
container.sh exec runc box /bin/setns_to 1 net
wait_for 10 "the violation" grep -qF '"rule":"escape-to-host"' "$records"
# What the kernel runs for the last one that leaves such a hierarchy, it runs as the host's root.
container.sh exec runc box sh -c 'mkdir /tmp/v1 && mount -t cgroup -o pids x /tmp/v1 && echo /tmp/evil >/tmp/v1/release_agent'
wait_for 10 "the second violation" grep -qF '"rule":"kernel-helper"' "$records"
container.sh stop runc box
container.sh stop runc old
wait_for 10 "the end of both" bash -c "[ \$(grep -c '\"state\":\"stopped\"' '$records') -eq 2 ]"
stop_agent
units() { query --arg state "$1" 'select(.type == "unit" and .state == $state) | "\(.unit.kind) \(.unit.id) \(.cgroup.path)"'; }
expect_equal "found" 'container /isolab/old /isolab/old' "$(units found)"
expect_equal "started" "container $id /docker/$id" "$(units started)"
expect_equal "violations" "$id escape ptrace_read null, $id escape setns, $id escape release_agent /tmp/evil" "$(query 'select(.type == "violation") |
    if .crossing then "\(.unit.id) \(.crossing.direction) \(.action)"
    else "\(.unit.id) \(.access.direction) \(.action) \(.access.path)" end' | paste -sd, | sed 's/,/, /g')"
busy_ns=$(records_of sched | jq -s 'map(select(.unit.name == "old") | .on_cpu_ns) | add')
[ "$busy_ns" -gt 1000000000 ] || fail "the busy container has $busy_ns ns on a CPU"
! grep -qF '/other' "$records" || fail "a cgroup of v2 is in the records"
! records_of unit_resources | grep -qF '"name":"old"' || fail "what v1 does not tell was made up"
expect_ledger_closed

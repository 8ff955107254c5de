#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Starting, executing into and stopping containers of runc and crun gives no violation, and each is a unit from its start to
# its end. So is a service.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

container.sh create-bundle "$PWD/runc-box" -- sleep 600
container.sh create-bundle "$PWD/crun-box" -- sleep 600
start_agent -i 2s --events crossings
for runtime in runc crun; do
    for _ in 1 2 3; do
        container.sh start $runtime $runtime-box "$PWD/$runtime-box"
        for _ in 1 2; do
            container.sh exec $runtime $runtime-box /bin/true
        done
        container.sh stop $runtime $runtime-box
    done
done
unshare --mount --net --uts true
service=/sys/fs/cgroup/system.slice/lab.service
mkdir -p $service
# shellcheck disable=SC2016 # for that shell
bash -c 'echo $$ >"$0/cgroup.procs" && exec unshare --mount readlink /proc/self/ns/mnt' $service >service.mnt
rmdir $service
wait_for 10 "the last unit's end" bash -c "[ \$(grep -c '\"state\":\"stopped\"' '$records') -eq 7 ]"
stop_agent
expect_equal "violations" 0 "$(count_violations)"
for state in started stopped; do
    expect_equal "$state containers" '3 crun-box 3 runc-box' "$(query --arg state $state \
        'select(.type == "unit" and .unit.kind == "container" and .state == $state) | .unit.name' | sort | uniq -c |
        awk '{ print $1, $2 }' | paste -sd' ')"
done
expect_equal "the service" "started $(readlink /proc/1/ns/mnt), updated $(cat service.mnt), stopped $(cat service.mnt)" "$(query \
    'select(.type == "unit" and .unit.name == "lab.service") | "\(.state) mnt:[\(.namespaces.mnt)]"' | paste -sd, | sed 's/,/, /g')"
expect_equal "runtimes, by their own files" '3 crun-box crun 3 runc-box runc' "$(query \
    'select(.type == "unit" and .state == "stopped" and .container) | "\(.container) \(.runtime)"' | sort | uniq -c |
    awk '{ print $1, $2, $3 }' | paste -sd' ')"
[ "$(query 'select(.type == "crossing" and .direction == "enter") | .seq' | wc -l)" -ge 6 ] ||
    fail "executing into containers was not seen as entering them"
expect_ledger_closed

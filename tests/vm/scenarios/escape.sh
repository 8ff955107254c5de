#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A process of a container enters the host's namespaces, one type at a time, then those of another container: each is one
# violation with the right container, direction and type. By system call, and by state alone where fentry is off. Not pid and
# user: the kernel lets nobody into a namespace above his own. Not time: runc makes none.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
id=$(printf 'a%.0s' {1..64})
other_id=$(printf 'b%.0s' {1..64})

start_container() { # NAME ID
    container.sh create-bundle "$PWD/$1" --cgroup "/docker/$2" --hostpid --privileged --add "$tools/setns_to" -- sleep 600
    container.sh start runc "$1" "$PWD/$1"
}

check() { # DIRECTION TYPE TO MECHANISM
    wait_for 10 "the violation for $2" violated "$2"
    expect_equal "violations for $2" "container $id $1 $2 $3 $4 critical" "$(query --arg type "$2" 'select(.type == "violation" and .crossing)
        | . as $v | select([$v.crossing.namespaces[].type] == [$type])
        | [.unit.kind, .unit.id, .crossing.direction, $type, .crossing.to.unit.id, .crossing.mechanism, .policy.severity] | join(" ")')"
}

violated() { [ -n "$(query --arg type "$1" 'select(.type == "violation" and .crossing.namespaces[]?.type == $type) | .seq')" ]; }

each_type() { # MECHANISM
    start_agent -i 60s
    for type in mnt uts ipc net cgroup; do
        container.sh exec runc one /bin/setns_to 1 $type >/dev/null
        check escape $type / "$1"
    done
    expect_equal "violations" 5 "$(count_denied_crossings)"
    stop_agent
    start_agent -i 60s
    container.sh exec runc one /bin/setns_to "$(container.sh pid runc two)" uts >/dev/null
    check lateral uts "$other_id" "$1"
    stop_agent
    expect_equal "violations" 1 "$(count_denied_crossings)"
    expect_ledger_closed
}

trap 'echo 1 >/proc/sys/kernel/ftrace_enabled; clean_up' EXIT
start_container one "$id"
start_container two "$other_id"
each_type setns
echo 0 >/proc/sys/kernel/ftrace_enabled
"$isoscope" check | grep -q 'off *namespace changes by system call' || fail "check does not say that fentry is off"
"$isoscope" check | grep -q 'off *crossings that are refused' || fail "check does not say that attempts are off"
each_type unknown
echo 1 >/proc/sys/kernel/ftrace_enabled
container.sh stop runc one
container.sh stop runc two

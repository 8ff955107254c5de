#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Somebody writes into the kernel's memory: a contained task has the host's namespaces, and made no system call for it. That
# is one violation, found at the task's next switch. Then another has the kernel's first credentials: two invariants are
# broken by that, each told once, at the next switch as well.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
id=$(printf 'c%.0s' {1..64})

# What the kernel says of itself: its symbols, and the members of task_struct. Each is read but once, at an emulated
# processor's pace.
read_layout() {
    grep -E ' init_(nsproxy|cred)$' /proc/kallsyms >symbols
    bpftool btf dump file /sys/kernel/btf/vmlinux format raw |
        awk '/^\[/ { if (inside) exit; inside = / STRUCT .task_struct. / } inside' >task_struct || true # exit: SIGPIPE
    [ "$(wc -l <symbols)" = 2 ] || fail "where init_nsproxy and init_cred are cannot be read"
    [ -s task_struct ] || fail "the types of the kernel have no task_struct"
}

address_of() { awk -v name="$1" '$3 == name { print "0x" $1 }' symbols; } # SYMBOL

# In bytes.
offset_of() { # MEMBER of task_struct
    awk -v name="'$1'" '$1 == name { sub(/.*bits_offset=/, ""); print $0 / 8 }' task_struct
}

# A task that sleeps and wakes without a child: those would have what it has.
start_container() { # NAME
    container.sh create-bundle "$PWD/$1" --cgroup "/docker/$id" -- \
        sh -c 'mkfifo /tmp/f; exec 3<>/tmp/f; while :; do read -t 1 line <&3; done'
    container.sh start runc "$1" "$PWD/$1"
    pid=$(container.sh pid runc "$1")
}

# Its task_struct, and then, at each switch, when it was and what it has: by bpftrace.
watch_task() {
    bpftrace -e "tracepoint:sched:sched_switch /pid == $pid/ {
        \$task = (struct task_struct *)curtask;
        printf(\"%lld %p %p %p\\n\", nsecs, \$task, \$task->nsproxy, \$task->real_cred); }" >switches 2>bpftrace.err &
    watcher=$!
    wait_for 120 "bpftrace to see the task" grep -q '^[0-9]' switches
    task=$(awk '/^[0-9]/ { print $2; exit }' switches)
}

stop_watching() {
    kill -INT "$watcher"
    wait "$watcher" || true
    watcher=''
}

field() { printf '0x%x' $((task + $(offset_of "$1"))); } # MEMBER

violations() { query 'select(.type == "violation") | .id'; }
is_violated() { [ "$(violations | wc -l)" -ge "$1" ]; } # COUNT

# Stops the agent. All that there is of it is told once, at the first switch with the new value.
expect_told() { # COLUMN ADDRESS COUNT
    local told switched
    wait_for 20 "the violation" is_violated "$3"
    sleep 3 # some switches, at which it must not be told again
    stop_watching
    stop_agent
    expect_equal "violations" "$3" "$(violations | wc -l)"
    switched=$(awk -v column="$1" -v value="$2" '$column "" == value "" { print $1; exit }' switches)
    [ -n "$switched" ] || fail "bpftrace saw no switch of the task with $2"
    for told in $(query 'select(.type == "violation") | .mono_ns | tonumber'); do
        expect_within "when it was told, ns after boot" "$switched" "$told" 0 100000000
    done
    expect_ledger_closed
}

# The numbers of the invariants that the report of the whole run says were broken, with how often.
broken() {
    query 'select(.type == "invariants" and .final) | .invariants | to_entries[] | select(.value.breaches > 0) | "\(.key) \(.value.breaches)"' |
        xargs
}

expect_report() { # BROKEN
    expect_equal "broken invariants" "$1" "$(broken)"
    expect_equal "complete, all of them watched and checked" "true true" \
        "$(query 'select(.type == "invariants" and .final) | "\(.complete) \([.invariants[] | .watched] | all)"')"
    [ "$(query 'select(.type == "invariants" and .final) | [.invariants.I1, .invariants.I6, .invariants.I9 | .checks] | min')" -gt 0 ] ||
        fail "invariants were never checked"
}

namespaces_are_written() {
    start_container one
    start_agent -i 60s
    watch_task
    write_memory "$(field nsproxy)" "$init_nsproxy"
    original=$(awk '/^[0-9]/ { print $3; exit }' switches)
    expect_told 3 "$init_nsproxy" 1
    expect_equal "the violation" "$id escape none cgroup ipc mnt net pid uts" \
        "$(query 'select(.type == "violation") |
            [.unit.id, .crossing.direction, .crossing.mechanism, ([.crossing.namespaces[].type] | sort | join(" "))] | join(" ")')"
    expect_report "I6 1 I8 1"
    # Else nobody would ever put its own back, and its cgroup namespace holds the cgroup's controllers.
    write_memory "$(field nsproxy)" "$original"
    container.sh stop runc one
}

credentials_are_written() {
    start_container two
    start_agent -i 60s
    watch_task
    write_memory "$(field real_cred)" "$init_cred"
    original=$(awk '/^[0-9]/ { print $4; exit }' switches)
    expect_told 4 "$init_cred" 2
    expect_equal "the violations" "$id I3 bounding switch $id I9  switch" \
        "$(query 'select(.type == "violation") | [.unit.id, .action, .breach.set, .breach.seen_at] | join(" ")' | sort | paste -sd ' ')"
    expect_report "I3 1 I9 1"
    write_memory "$(field real_cred)" "$original"
    container.sh stop runc two
}

watcher=''
trap '[ -z "$watcher" ] || kill "$watcher" 2>/dev/null; clean_up' EXIT
read_layout
init_nsproxy=$(address_of init_nsproxy)
init_cred=$(address_of init_cred)
namespaces_are_written
credentials_are_written

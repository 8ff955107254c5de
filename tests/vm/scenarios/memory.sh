#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Somebody writes into the kernel's memory: a contained task has the host's namespaces, and made no system call for it. That
# is one violation, found at the task's next switch.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
id=$(printf 'c%.0s' {1..64})

# What the kernel says of itself: its symbols, and the members of task_struct. Each is read but once, at an emulated
# processor's pace.
read_layout() {
    grep ' init_nsproxy$' /proc/kallsyms >symbols
    bpftool btf dump file /sys/kernel/btf/vmlinux format raw |
        awk '/^\[/ { if (inside) exit; inside = / STRUCT .task_struct. / } inside' >task_struct || true # exit: SIGPIPE
    [ -s symbols ] || fail "where init_nsproxy is cannot be read"
    [ -s task_struct ] || fail "the types of the kernel have no task_struct"
}

address_of() { awk -v name="$1" '$3 == name { print "0x" $1 }' symbols; } # SYMBOL

# In bytes.
offset_of() { # MEMBER of task_struct
    awk -v name="'$1'" '$1 == name { sub(/.*bits_offset=/, ""); print $0 / 8 }' task_struct
}

# A task that sleeps and wakes without a child: those would have what it has.
start_container() {
    container.sh create-bundle "$PWD/one" --cgroup "/docker/$id" -- \
        sh -c 'mkfifo /tmp/f; exec 3<>/tmp/f; while :; do read -t 1 line <&3; done'
    container.sh start runc one "$PWD/one"
    pid=$(container.sh pid runc one)
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
is_violated() { [ -n "$(violations)" ]; }

# What is there of it is told once, at the first switch with the new value.
check() { # COLUMN ADDRESS WHAT, a path of jq to the event
    local told switched
    wait_for 20 "the violation" is_violated
    sleep 3 # some switches, at which it must not be told again
    stop_watching
    stop_agent
    expect_equal "violations" 1 "$(violations | wc -l)"
    switched=$(awk -v column="$1" -v value="$2" '$column "" == value "" { print $1; exit }' switches)
    [ -n "$switched" ] || fail "bpftrace saw no switch of the task with $2"
    told=$(query 'select(.type == "violation") | .mono_ns | tonumber')
    expect_within "when it was told, ns after boot" "$switched" "$told" 0 100000000
    expect_equal "the violation" "$id $3" "$(query "select(.type == \"violation\") | [.unit.id, $4] | join(\" \")")"
    expect_ledger_closed
}

namespaces_are_written() {
    start_container
    start_agent -i 60s
    watch_task
    write_memory "$(field nsproxy)" "$init_nsproxy"
    original=$(awk '/^[0-9]/ { print $3; exit }' switches)
    check 3 "$init_nsproxy" "escape none cgroup ipc mnt net pid uts" \
        '.crossing.direction, .crossing.mechanism, ([.crossing.namespaces[].type] | sort | join(" "))'
    # Else nobody would ever put its own back, and its cgroup namespace holds the cgroup's controllers.
    write_memory "$(field nsproxy)" "$original"
    container.sh stop runc one
}

watcher=''
trap '[ -z "$watcher" ] || kill "$watcher" 2>/dev/null; clean_up' EXIT
read_layout
init_nsproxy=$(address_of init_nsproxy)
namespaces_are_written

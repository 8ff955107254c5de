#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Waits for a CPU as runqlat of libbpf-tools sees them, in the same run; and switches, wake-ups and waits equal to the
# kernel's own counts, thread by thread, on this kernel.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../runqlat.sh
. "$here/runqlat.sh"

# Both tools read the clock in programs of their own, some microseconds of this emulated machine apart, so that a short wait
# may be in a neighbouring bucket (waits.sh has those). On CPU 1, which is never idle: the stream has no switches from the
# idle task.
begin_load() {
    local end=$((SECONDS + 12))
    load=()
    for _ in 1 2 3; do
        taskset -c 1 busybox sh -c 'while :; do :; done' &
        load+=($!)
    done
    for _ in 1 2 3; do
        taskset -c 1 perl -e 'select undef, undef, undef, 0.002 while 1' &
        load+=($!)
    done
    while [ $SECONDS -lt $end ]; do
        sleep 1
    done
}

start_agent -i 60s --events switches
start_runqlat
begin_load
kill -KILL "${load[@]}"
wait "${load[@]}" || true
stop_runqlat
stop_agent
theirs "${load[@]}" >theirs.txt
ours "${load[@]}" >ours.txt
paste theirs.txt ours.txt
[ "$(total <theirs.txt)" -ge 500 ] || fail "runqlat saw hardly a wait"
expect_within "all waits, by runqlat" "$(total <theirs.txt)" "$(total <ours.txt)" 2 20
# From 4 ms on each by itself.
for bucket in $(seq 12 17); do
    expect_within "waits from $((1 << bucket)) us, by runqlat" "$(only "$bucket" <theirs.txt)" "$(only "$bucket" <ours.txt)" 2 6
done
expect_ledger_closed

"$root/build/release/tests/bpf/bpf_test" --gtest_brief=1 --gtest_filter='Sched.EverySwitch*:*SchedWait.*'

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Waits for a CPU as runqlat of libbpf-tools sees them, in the same run; and switches, wake-ups and waits equal to the
# kernel's own counts, thread by thread, on this kernel.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# Both tools read the clock in programs of their own, some microseconds of this emulated machine apart, so that a short wait
# may be in a neighbouring bucket. On CPU 1, which is never idle: the stream has no switches from the idle task.
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

# Lines `BUCKET COUNT`; bucket n is of waits from 2^n us on, and bucket 0 of all below 2 us.
ours() {
    records_of switch | awk -v load=" ${load[*]} " '
        match($0, /"next":{"pid":[0-9]+/) && index(load, " " substr($0, RSTART + 14, RLENGTH - 14) " ") {
            if (!match($0, /"waited_ns":[0-9]+/)) next
            us = int(substr($0, RSTART + 12, RLENGTH - 12) / 1000)
            for (bucket = 0; us > 1; us = int(us / 2)) bucket++
            counts[bucket]++
        }
        END { for (bucket in counts) print bucket, counts[bucket] }' | sort -n
}
theirs() {
    awk -v load=" ${load[*]} " '
        $1 == "pid" { pid = $3; sub(/,.*/, "", pid); wanted = index(load, " " pid " ") }
        wanted && $2 == "->" { us = $1; for (bucket = 0; us > 1; us = int(us / 2)) bucket++; counts[bucket] += $5 }
        END { for (bucket in counts) print bucket, counts[bucket] }' runqlat.out | sort -n
}
total() { awk '{ sum += $2 } END { print sum + 0 }'; }
only() { awk -v bucket="$1" '$1 == bucket { found = $2 } END { print found + 0 }'; } # BUCKET

start_agent -i 60s --events switches
stdbuf -oL runqlat -P >runqlat.out 2>&1 &
runqlat=$!
wait_for 60 "runqlat to attach" grep -q Tracing runqlat.out
sleep 1
begin_load
kill -KILL "${load[@]}"
wait "${load[@]}" || true
kill -INT $runqlat
wait $runqlat || true
stop_agent
theirs >theirs.txt
ours >ours.txt
paste theirs.txt ours.txt
[ "$(total <theirs.txt)" -ge 500 ] || fail "runqlat saw hardly a wait"
expect_within "all waits, by runqlat" "$(total <theirs.txt)" "$(total <ours.txt)" 2 20
# From 4 ms on each by itself.
for bucket in $(seq 12 17); do
    expect_within "waits from $((1 << bucket)) us, by runqlat" "$(only "$bucket" <theirs.txt)" "$(only "$bucket" <ours.txt)" 2 6
done
expect_ledger_closed

"$root/build/release/tests/bpf/bpf_test" --gtest_brief=1 --gtest_filter='Sched.EverySwitch*:SchedWait.*'

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Waits for a CPU as runqlat of libbpf-tools sees them, in the same run; and switches, wake-ups and waits equal to the
# kernel's own counts, thread by thread, on this kernel.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# Both tools read the clock in programs of their own, a microsecond or two of this emulated machine apart: a wait of some
# microseconds may be in a neighbouring bucket. So what counts is that most of the waits here are long.
load() {
    local child children=()
    for _ in 1 2 3; do
        taskset -c 1 busybox timeout 12 sh -c 'while :; do :; done' &
        children+=($!)
    done
    for _ in 1 2; do
        taskset -c 1 busybox timeout 12 sh -c 'while :; do usleep 2000; done' &
        children+=($!)
    done
    for child in "${children[@]}"; do
        wait "$child" || true # timeout ends it by a signal
    done
}

# Lines `BUCKET COUNT`; bucket n is of waits from 2^n us on, and bucket 0 of all below 2 us.
ours() {
    records_of switch | awk -F'"waited_ns":' '$2 + 0 > 0 {
        for (us = int($2 / 1000); us > 1; us = int(us / 2)) bucket++
        counts[bucket + 0]++
        bucket = 0
    }
    END { for (bucket in counts) print bucket, counts[bucket] }' | sort -n
}
theirs() {
    awk '$2 == "->" { for (us = $1; us > 1; us = int(us / 2)) bucket++; print bucket + 0, $5; bucket = 0 }' runqlat.out
}
count_from() { # BUCKET, of lines on stdin
    awk -v from="$1" '$1 >= from { sum += $2 } END { print sum + 0 }'
}

start_agent -i 60s --events switches
runqlat >runqlat.out 2>&1 &
runqlat=$!
sleep 4 # it says nothing when it is attached
load
kill -INT $runqlat
wait $runqlat || true
stop_agent
cat runqlat.out
ours | tee ours.txt
[ "$(theirs | count_from 0)" -ge 1000 ] || fail "runqlat saw hardly a wait"
expect_within "all waits, by runqlat" "$(theirs | count_from 0)" "$(count_from 0 <ours.txt)" 2
# From 128 us on.
for bucket in $(seq 7 16); do
    only() { awk -v bucket="$bucket" '$1 == bucket { print $2; found = 1 } END { if (!found) print 0 }'; }
    expect_within "waits from $((1 << bucket)) us, by runqlat" "$(theirs | only)" "$(only <ours.txt)" 2 5
done
expect_ledger_closed

"$root/build/release/tests/bpf/bpf_test" --gtest_brief=1 --gtest_filter='Sched.EverySwitch*:SchedWait.*'

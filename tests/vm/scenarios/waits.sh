#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Waits for a CPU as runqlat of libbpf-tools sees them in the same run, bucket by bucket: of a task that waits for known
# times, from 45 us to 23 ms. For a machine whose time is counted instructions: it is never late by the host's doing.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../runqlat.sh
. "$here/runqlat.sh"

readonly times=100

# Holds the task that waited until runqlat has looked up its name.
make_waits() {
    mkfifo held
    waits 0 $times 5 14 <held >waiter &
    waits=$!
    exec 9>held
    wait_for 300 "all waits to be made" test -s waiter
}

start_agent -i 60s --events switches
start_runqlat
make_waits
stop_runqlat
exec 9>&-
wait $waits
stop_agent
theirs "$(cat waiter)" >theirs.txt
ours "$(cat waiter)" >ours.txt
echo "from us   runqlat  isoscope"
for bucket in $(seq 0 17); do
    printf '%7d %9d %9d\n' $((1 << bucket)) "$(only "$bucket" <theirs.txt)" "$(only "$bucket" <ours.txt)"
done
# Below are the task's start and end, of which runqlat has not seen both.
for bucket in $(seq 5 17); do
    expect_within "waits from $((1 << bucket)) us, by runqlat" "$(only "$bucket" <theirs.txt)" "$(only "$bucket" <ours.txt)" 2
done
for bucket in $(seq 5 14); do
    expect_within "waits made from $((1 << bucket)) us" $times "$(only "$bucket" <theirs.txt)" 20
done
expect_ledger_closed

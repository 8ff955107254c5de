#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A CPU that went off and came back: since when tasks wait for it is known again, from the next window on, and not because a
# hook was taken for it. It may be taken because the clocks of an emulated machine's processors are apart.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

windows() { records_of ledger | wc -l; }

more_windows_than() { [ "$(windows)" -gt "$1" ]; }

# Of a task that sleeps and wakes up on the second CPU for two whole windows: how many of its waits have no begin.
lost_in_two_windows() {
    local before load
    taskset -c 1 perl -e 'select undef, undef, undef, 0.002 while 1' &
    load=$!
    before=$(windows)
    wait_for 60 "three windows" more_windows_than $((before + 2))
    kill "$load"
    wait "$load" || true
    records_of ledger | tail -n 2 | jq -s 'map(.causes.waits_unpaired) | add'
}

start_agent -i 2s
lost=$(lost_in_two_windows)
# Within one window, as when a machine sleeps: the list of CPUs is the same before and after.
echo 0 >/sys/devices/system/cpu/cpu1/online
echo 1 >/sys/devices/system/cpu/cpu1/online
sleep 3
back=$(lost_in_two_windows)
stop_agent
! agent_says 'timed by a hook' || agent_says 'apart' || fail "the clock of a CPU was given up: $(cat "$messages")"
expect_equal "waits without a begin before" 0 "$lost"
expect_equal "and with the CPU back" 0 "$back"

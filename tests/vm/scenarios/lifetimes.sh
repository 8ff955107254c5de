#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# 200 VMs one after the other, a VMM that is killed, and a table of histograms that is full: every exit is counted, and
# nothing of a VM stays behind.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

agent_kb() {
    expect_agent
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$agent/status"
}

# Entries of a table at the end of the last window.
entries() { # MAP
    records_of ledger | tail -n 1 | jq ".maps.$1.entries"
}

no_vcpu_left() { [ "$(entries vcpus)" = 0 ] && [ "$(entries exit_histograms)" = 0 ]; }

rows_of_killed() { records_of vm_exits | grep -cF "\"pid\":$killed,"; }

run_vms() { # COUNT
    for _ in $(seq "$1"); do
        small_guest 3 >>guests.json
    done
}

start_agent -i 1s
run_vms 50
before_kb=$(agent_kb)
run_vms 150
after_kb=$(agent_kb)
small_guest 1000 --sleep-us 100000 >/dev/null &
killed=$!
wait_for 20 "exits of the VMM that will be killed" rows_of_killed
kill -KILL $killed
wait $killed || true
wait_for 20 "the vCPUs of ended VMs to be given back" no_vcpu_left
rows=$(rows_of_killed)
sleep 2.5
stop_agent
expect_equal "io exits of 200 VMs" 600 "$(records_of vm_exits | jq -s --slurpfile guests guests.json \
    '($guests | map(.pid)) as $pids | map(select(.reason == "io" and (.vm.pid | IN($pids[]))) | .count) | add')"
expect_equal "rows of the VMM that was killed, two windows later" "$rows" "$(rows_of_killed)"
expect_equal "vCPUs left over" 0 "$(final_ledger | jq .maps.vcpus.entries)"
expect_ledger_closed
[ $((after_kb - before_kb)) -le 512 ] || fail "the agent grew from $before_kb to $after_kb KiB over 150 VMs"

# Two histograms for the three reasons of a guest: the third goes to a row of its own.
start_agent -i 1s --exit-histograms 2
small_guest 100 >guest.json
stop_agent
pid=$(jq .pid guest.json)
made=$(jq '.io + .cpuid + .hlt' guest.json)
counted=$(sum_exits "$pid" count)
[ "$counted" -ge "$made" ] || fail "of $made exits $counted were counted"
[ "$(sum_exits "$pid" count other)" -ge 1 ] || fail "no row for exits without a histogram"
[ "$(final_ledger | jq .causes.exit_cells_full)" -ge 1 ] || fail "the ledger does not say that the table was full"

# Eight VMs in turn through a table for two: what an ended VM held is given to the next.
start_agent -i 300ms --exit-histograms 8
for _ in $(seq 8); do
    small_guest 3 >/dev/null
    sleep 1
done
stop_agent
expect_equal "exits without a histogram" 0 "$(final_ledger | jq .causes.exit_cells_full)"

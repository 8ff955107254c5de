#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A booting Linux guest: counts by reason are those of perf kvm stat. One that sleeps: its exits are halts.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

start_agent -i 5s
perf kvm stat record -o perf.data linux_guest.sh --name web --uuid 11111111-2222-3333-4444-555555555555 --seconds 2 \
    >guest.log 2>perf.log || fail "the guest or perf failed: $(tail -n 5 guest.log perf.log)"
stop_agent
pid=$(query 'select(.type == "vm_exits") | .vm.pid' | sort -u)

perf kvm -i perf.data stat report --event=vmexit >report.txt 2>&1 || fail "perf kvm stat report: $(cat report.txt)"
read_perf_report <report.txt >perf.counts
[ "$(wc -l <perf.counts)" -ge 8 ] || fail "perf kvm stat shows only: $(cat report.txt)"
while read -r count _ reason; do
    expect_within "exits for $reason" "$count" "$(sum_exits "$pid" count "$reason")" 1 2
done <perf.counts
expect_equal "reasons" "$(wc -l <perf.counts)" "$(query 'select(.type == "vm_exits") | .reason' | sort -u | wc -l)"
expect_equal "the VM" 'web 11111111-2222-3333-4444-555555555555 qemu' \
    "$(query 'select(.type == "vm_exits") | "\(.vm.name) \(.vm.uuid) \(.vm.vmm)"' | sort -u)"
expect_equal "life of the VM" 'started stopped' \
    "$(query 'select(.type == "unit" and .unit.kind == "vm") | .state' | paste -sd' ')"
expect_ledger_closed

linux_guest.sh --name idle --rest 90 --seconds 1 >idle.log &
guest=$!
wait_for 120 "the guest to be up" grep -q 'guest: up' idle.log
sleep 2
start_agent -i 1s
sleep 8
stop_agent
kill -KILL $guest
wait $guest || true
halted=$(records_of vm_exits | jq -s --argjson pid $guest '[.[] | select(.vm.pid == $pid)] |
    if length == 0 then 0 else 100 * (map(.split.halted_ns) | add) / (map(.sum_ns) | add) end')
jq -en "$halted > 95" >/dev/null ||
    fail "a guest that sleeps: $halted % of the time of its exits is halted, expected more than 95 %"

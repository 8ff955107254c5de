#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A booting Linux guest: per-reason counts are those of perf kvm stat.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

start_agent -i 5s
perf kvm stat record -o perf.data linux_guest.sh --name web --uuid 11111111-2222-3333-4444-555555555555 --seconds 2 \
    >guest.log 2>perf.log || fail "the guest or perf failed: $(tail -n 5 guest.log perf.log)"
stop_agent
pid=$(query 'select(.type == "vm_exits") | .vm.pid' | sort -u)

perf kvm -i perf.data stat report --event=vmexit >report.txt 2>&1 || fail "perf kvm stat report: $(cat report.txt)"
# `   npf   1234   56.78%  ...`: a reason, which may have a blank in it (`UD excp`), and its count.
sed -nE 's/^ *([^ ].*[^ ]) +([0-9]+) +[0-9.]+% .*/\2 \1/p' report.txt >perf.counts
[ "$(wc -l <perf.counts)" -ge 8 ] || fail "perf kvm stat shows only: $(cat report.txt)"
while read -r count reason; do
    expect_within "exits for $reason" "$count" "$(sum_exits "$pid" count "$reason")" 1 2
done <perf.counts
expect_equal "reasons" "$(wc -l <perf.counts)" "$(query 'select(.type == "vm_exits") | .reason' | sort -u | wc -l)"
expect_equal "the VM" 'web 11111111-2222-3333-4444-555555555555 qemu' \
    "$(query 'select(.type == "vm_exits") | "\(.vm.name) \(.vm.uuid) \(.vm.vmm)"' | sort -u)"
expect_equal "life of the VM" 'started stopped' \
    "$(query 'select(.type == "unit" and .unit.kind == "vm") | .state' | paste -sd' ')"
expect_ledger_closed

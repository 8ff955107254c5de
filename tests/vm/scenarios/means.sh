#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The mean time of a reason is that of perf kvm stat. For the lab under instruction counting: by its clock, the emulator takes
# longer for perf's record at an exit than for the one at an entry, and that is a tenth of a short exit.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

start_agent -i 5s
perf kvm stat record -o perf.data linux_guest.sh --seconds 1 >guest.log 2>perf.log ||
    fail "the guest or perf failed: $(tail -n 5 guest.log perf.log)"
stop_agent
perf kvm -i perf.data stat report --event=vmexit >report.txt 2>&1 || fail "perf kvm stat report: $(cat report.txt)"
read_perf_report <report.txt | awk '$1 >= 100' >perf.means
[ "$(wc -l <perf.means)" -ge 4 ] || fail "perf kvm stat shows only: $(cat report.txt)"
pid=$(records_of vm_exits | jq .vm.pid | sort -u)
while read -r count mean_us reason; do
    # The last exit of all has no end.
    expect_within "exits for $reason" "$count" "$(sum_exits "$pid" count "$reason")" 0 1
    expect_within "mean of $reason in us" "$mean_us" \
        "$(jq -n "$(sum_exits "$pid" sum_ns "$reason") / $(sum_exits "$pid" count "$reason") / 1000")" 5
done <perf.means

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Where the time of exits went: I/O to the VMM is in userspace, two vCPUs on one processor wait for it in turn, and the
# parts of every exit make its duration.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# Share of the vm_exit records' time of a process in one part, in percent; of one reason, or of all.
share() { # PID PART [REASON]
    records_of vm_exit | jq -rs --argjson pid "$1" --arg part "$2" --arg reason "${3:-}" \
        '[.[] | select(.vm.pid == $pid and ($reason == "" or .reason == $reason))]
            | 100 * (map(.split[$part]) | add) / (map(.duration_ns) | add) | floor'
}

expect_at_least() { # WHAT PERCENT ACTUAL
    [ "$3" -ge "$2" ] || fail "$1: expected $2 % or more, got $3 %"
}

# The VMM sleeps 20 ms for each io exit, and never hears of a cpuid exit.
start_agent -i 1s --events exits
small_guest 50 --sleep-us 20000 >guest.json
stop_agent
pid=$(jq .pid guest.json)
expect_at_least "time in a VMM that sleeps" 90 "$(share "$pid" userspace_ns io)"
expect_at_least "time of exits that the kernel handles" 80 "$(share "$pid" kernel_ns cpuid)"
expect_equal "exits whose parts do not make the whole" 0 "$(records_of vm_exit | jq -s \
    '[.[] | select(([.split[]] | add) != .duration_ns or ([.split[]] | min) < 0)] | length')"

# Two threads that are always busy, on one processor: at any time one of them waits.
start_agent -i 1s --events exits
taskset -c 1 small_guest 1000 --vcpus 2 >guest.json
stop_agent
pid=$(jq .pid guest.json)
share_of_both=$(records_of vm_exit | jq -s --argjson pid "$pid" 'map(select(.vm.pid == $pid) |
        {start: (.start_mono_ns | tonumber), end: (.mono_ns | tonumber), preempted: .split.preempted_ns}) |
    100 * (map(.preempted) | add) / 2 / ((map(.end) | max) - (map(.start) | min)) | floor')
expect_within "share of the time of two vCPUs on one CPU that is preempted" 50 "$share_of_both" 0 15
expect_equal "exits whose parts do not make the whole" 0 "$(records_of vm_exit | jq -s \
    '[.[] | select(([.split[]] | add) != .duration_ns or ([.split[]] | min) < 0)] | length')"
expect_ledger_closed
# By maps as well: no sum of parts is larger than its whole.
expect_equal "rows whose parts do not make the whole" 0 "$(records_of vm_exits | jq -s \
    '[.[] | select(([.split[]] | add) != .sum_ns or ([.split[]] | min) < 0)] | length')"

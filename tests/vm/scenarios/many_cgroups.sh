#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A thousand cgroups made, used and removed: every one has its rows, nothing of them stays behind, and their time is what
# the kernel charged to the cgroup around them.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

readonly parent=/sys/fs/cgroup/many
agent_kb() { # VmRSS|VmHWM
    expect_agent
    sed -n "s/^$1:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$agent/status"
}
accounts() { records_of ledger | tail -n 1 | jq .maps.accounts.entries; }
few_accounts() { [ "$(accounts)" -le $((before + 10)) ]; }

# By one process for all, which is busybox' own shell: each child is born in its cgroup.
use_cgroups() { # FIRST LAST
    # shellcheck disable=SC2016 # for that shell
    busybox sh -c 'parent=$0; i=$1; while [ $i -le $2 ]; do
            mkdir $parent/$i
            (echo 0 >$parent/$i/cgroup.procs; j=0; while [ $j -lt 50 ]; do j=$((j + 1)); done)
            rmdir $parent/$i
            i=$((i + 1))
        done' $parent "$1" "$2"
}

mkdir -p $parent
start_agent -i 1s
wait_for 20 "the first ledger" test -s "$records"
before=$(accounts)
use_cgroups 1 300
middle_kb=$(agent_kb VmRSS)
use_cgroups 301 1000
after_kb=$(agent_kb VmRSS)
wait_for 20 "the accounts of removed cgroups to be given back" few_accounts
peak_kb=$(agent_kb VmHWM)
stop_agent
records_of sched | grep -oE '"id":"/many/[0-9]+"' | sort | uniq -c | awk '{ print $2 }' >units.txt
expect_equal "cgroups that have rows" 1000 "$(wc -l <units.txt)"
expect_equal "cgroups without an entry" 0 "$(final_ledger | jq .causes.account_table_full)"
[ $((after_kb - middle_kb)) -le 1024 ] || fail "the agent grew from $middle_kb to $after_kb KiB over 700 cgroups"
[ "$peak_kb" -le 65536 ] || fail "the agent took $peak_kb KiB"
used_us=$(awk '$1 == "usage_usec" { print $2 }' $parent/cpu.stat)
counted_ns=$(records_of sched | grep -F '"id":"/many/' | sed 's/.*"on_cpu_ns":\([0-9]*\).*/\1/' | awk '{ sum += $1 } END { printf "%.0f", sum }')
# The kernel charges a moved task from the middle of its run on, and leaves interrupts out.
expect_within "ns on a CPU of all cgroups, by cpu.stat" $((used_us * 1000)) "$counted_ns" 25
expect_ledger_closed
rmdir $parent
echo "agent: $middle_kb KiB after 300, $after_kb KiB after 1,000 cgroups, $peak_kb KiB at most"

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

use_batch() { # FIRST: 250 cgroups, and their rows given back
    use_cgroups "$1" $(($1 + 249))
    wait_for 20 "the accounts of removed cgroups to be given back" few_accounts
}

mkdir -p $parent
start_agent -i 1s
wait_for 20 "the first ledger" test -s "$records"
before=$(accounts)
use_batch 1
use_batch 251 # by now the agent has held as much at once as it will
middle_kb=$(agent_kb VmRSS)
use_batch 501
use_batch 751
after_kb=$(agent_kb VmRSS)
peak_kb=$(agent_kb VmHWM)
stop_agent
# Their own rows; a row's `preempted_by` names such units too, with times of theirs.
records_of sched | grep -F '"id":"/many/' | jq -r 'select(.unit.id | startswith("/many/")) | [.unit.id, .on_cpu_ns] | @tsv' >rows.tsv
cut -f 1 rows.tsv | sort -u >units.txt
expect_equal "cgroups that have rows" 1000 "$(wc -l <units.txt)"
expect_equal "rows without a name" 0 "$(records_of sched | grep -cF '"id":"cgroup:' || true)"
expect_equal "cgroups without an entry" 0 "$(final_ledger | jq .causes.account_table_full)"
[ $((after_kb - middle_kb)) -le 1024 ] || fail "the agent grew from $middle_kb to $after_kb KiB over 500 cgroups"
[ "$peak_kb" -le 65536 ] || fail "the agent took $peak_kb KiB"
used_us=$(awk '$1 == "usage_usec" { print $2 }' $parent/cpu.stat)
counted_ns=$(awk '{ sum += $2 } END { printf "%.0f", sum }' rows.tsv)
# The kernel charges the run in which a task moves to the new cgroup as a whole, and leaves interrupts out.
expect_within "ns on a CPU of all cgroups, by cpu.stat" $((used_us * 1000)) "$counted_ns" 25
expect_ledger_closed
rmdir $parent
echo "cpu.stat: $used_us us; counted: $counted_ns ns"
echo "agent: $middle_kb KiB after 500, $after_kb KiB after 1,000 cgroups, $peak_kb KiB at most"

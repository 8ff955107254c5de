#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A pipe ping-pong in a cgroup of its own: as many switches as perf counts, idle excluded.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

mkdir -p /sys/fs/cgroup/pingpong
start_agent -i 2s
# perf itself stays outside of the cgroup.
perf stat -x, -o perf.csv -e context-switches -- \
    bash -c 'echo $$ >/sys/fs/cgroup/pingpong/cgroup.procs && exec pingpong --cpu 0 20000' >pingpong.json
stop_agent

ours=$(jq -s '[.[] | select(.type == "sched" and .unit.id == "/pingpong") | .switches.voluntary + .switches.involuntary]
    | add' "$records")
expect_within "context switches, by perf" "$(awk -F, '/context-switches/ { print $1 }' perf.csv)" "$ours" 1
voluntary=$(jq -s '[.[] | select(.type == "sched" and .unit.id == "/pingpong") | .switches.voluntary] | add' "$records")
expect_within "voluntary switches, by the kernel" "$(jq '.voluntary | add' pingpong.json)" "$voluntary" 1

# The idle task leaves a CPU as often as all others come to an idle one, and is never counted.
start_agent -i 60s --events switches
sleep 3
stop_agent
[ "$(records_of switch | wc -l)" -gt 10 ] || fail "hardly any switch was streamed"
[ "$(records_of switch | jq -r 'select(.next.tid == 0) | .seq' | wc -l)" -gt 0 ] || fail "the machine was never idle"
expect_equal "switches of the idle task" 0 "$(records_of switch | jq -r 'select(.prev.tid == 0) | .seq' | wc -l)"
rmdir /sys/fs/cgroup/pingpong

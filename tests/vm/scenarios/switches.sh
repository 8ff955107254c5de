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

# An idle machine has nothing to switch but the agent itself and a few kernel threads.
start_agent
sleep 5
stop_agent
idle=$(jq -s '[.[] | select(.type == "sched") | .switches.involuntary] | add // 0' "$records")
[ "$idle" -lt 500 ] || fail "$idle involuntary switches on an idle machine: is the idle task counted?"
rmdir /sys/fs/cgroup/pingpong

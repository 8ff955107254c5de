#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Who ran and who pushed whom off: two busy containers share a CPU, then a container and a VM; and busy cgroups used as much
# of it as the kernel says.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

container.sh create-bundle "$PWD/red" -- sh -c 'while :; do :; done'
container.sh create-bundle "$PWD/blue" -- sh -c 'while :; do :; done'

start_on_cpu_1() { # CONTAINER
    container.sh start runc "$1" "$PWD/$1"
    taskset -acp 1 "$(container.sh pid runc "$1")" >/dev/null
}

# What a filter says of the scheduling rows of a unit in six quiet windows, in percent of their time.
mean_share() { # UNIT FILTER
    records_of sched | grep -F "\"name\":\"$1\"" | jq -s --arg unit "$1" --argjson from "$quiet_from" '
        def ns: (.window.end_mono_ns | tonumber) - (.window.start_mono_ns | tonumber);
        map(select(.unit.name == $unit and .window.number > $from and .window.number <= $from + 6)) |
        if length == 0 then 0 else 100 * (map('"$2"') | add) / (map(ns) | add) | floor end'
}

# Eight windows in which only what is measured is on CPU 1.
eight_windows() {
    sleep 1
    quiet_from=$(records_of ledger | tail -n 1 | jq .window.number)
    sleep 8
}
took() { echo "([.preempted_by[] | select(.unit.name == \"$1\") | .waited_ns] | add // 0)"; }

# The rest stays on CPU 0.
taskset -cp 0 $$ >/dev/null
start_agent -i 1s
start_on_cpu_1 red
start_on_cpu_1 blue
eight_windows
container.sh stop runc blue
stop_agent
for pair in 'red blue' 'blue red'; do
    read -r one other <<<"$pair"
    expect_within "time of $one on a CPU that it shares with $other" 50 "$(mean_share "$one" .on_cpu_ns)" 0 8
    expect_within "time that $one lost to $other" 50 "$(mean_share "$one" "$(took "$other")")" 0 10
done

start_agent -i 1s
small_guest 100000000 --pin 1 >/dev/null &
guest=$!
eight_windows
kill -KILL $guest
wait $guest || true
stop_agent
expect_within "time that a VM lost to a container" 50 "$(mean_share "pid:$guest" "$(took red)")" 0 10
expect_within "what its vCPU waited" 50 "$(mean_share "pid:$guest" .steal_ns)" 0 10
expect_within "time that the container lost to the VM" 50 "$(mean_share red "$(took "pid:$guest")")" 0 10
expect_ledger_closed
container.sh stop runc red

# Each ends in its cgroup before the counters are compared.
taskset -cp 0-1 $$ >/dev/null
start_agent -i 1s
for name in first second; do
    mkdir -p /sys/fs/cgroup/$name
    # shellcheck disable=SC2016 # for that shell
    bash -c 'echo $$ >"$0/cgroup.procs"; end=$((SECONDS + 8)); while [ $SECONDS -lt $end ]; do :; done' \
        /sys/fs/cgroup/$name &
    children+=($!)
done
wait "${children[@]}"
stop_agent
for name in first second; do
    used_us=$(awk '$1 == "usage_usec" { print $2 }' /sys/fs/cgroup/$name/cpu.stat)
    counted_ns=$(records_of sched | grep -F "\"id\":\"/$name\"" | jq -s --arg unit "/$name" 'map(select(.unit.id == $unit) | .on_cpu_ns) | add')
    expect_within "ns of $name on a CPU, by cpu.stat" $((used_us * 1000)) "$counted_ns" 1
    rmdir /sys/fs/cgroup/$name
done

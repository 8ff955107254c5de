#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a unit used is what its cgroup's files say: a processor that is throttled, a disk under another device (counted once),
# memory that is short, and a network of its own. Each bottleneck has its name.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
readonly cgroups=/sys/fs/cgroup

# Runs a command in a cgroup of its own.
inside() { # CGROUP COMMAND...
    local cgroup=$1
    shift
    bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' bash "$cgroups/$cgroup" "$@"
}

# Values of the records of one unit in one line, as an emulated processor needs half a second for each jq.
of_unit() { # UNIT FILTER...
    local unit=$1 filters
    shift
    filters=$(printf ', (%s)' "$@")
    grep -F "\"id\":\"$unit\"" rows.ndjson | jq -rs "[${filters#, }] | join(\" \")"
}

has_record() { grep -F '"type":"unit_resources"' "$records" | grep -qF "\"name\":\"$1\""; }

# The figure behind a word in a cgroup's file.
figure() { # CGROUP FILE WORD
    sed -n "s/^\(.* \)\{0,1\}$3[ =]\([0-9]*\).*/\2/p" "$cgroups/$1/$2" | head -n 1
}

prepare() {
    echo '+cpu +memory +io' >$cgroups/cgroup.subtree_control
    mkdir $cgroups/busy $cgroups/rival $cgroups/hungry $cgroups/grown
    echo '20000 100000' >$cgroups/busy/cpu.max
    echo 16M >$cgroups/hungry/memory.high
    modprobe brd rd_nr=1 rd_size=16384
    modprobe dm-mod
    dmsetup --noudevsync create upper --table '0 32768 linear /dev/ram0 0'
    upper=/dev/dm-$(dmsetup info -c --noheadings -o minor upper | tr -d ' ') # without udev it has no other name
    modprobe veth
    container.sh create-bundle "$PWD/netted" -- sh -c 'while :; do sleep 0.2; done'
}

# Neither ARP nor IPv6: nothing but our own packets.
connect() { # PID
    local enter=(nsenter --net="/proc/$1/ns/net")
    ip link add outer type veth peer name inner
    ip link set inner netns "$1"
    ip link set outer arp off
    "${enter[@]}" ip link set inner arp off
    echo 1 >/proc/sys/net/ipv6/conf/outer/disable_ipv6
    "${enter[@]}" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/inner/disable_ipv6 && ip link set inner up'
    ip address add 10.99.0.1/24 dev outer
    ip link set outer up
}

send_packets() {
    local n payload
    payload=$(printf '%01000d' 0)
    for ((n = 0; n < 100; n++)); do
        printf %s "$payload" >/dev/udp/10.99.0.2/9
    done
}

prepare
start_agent -i 1s
container.sh start runc netted "$PWD/netted"
mkdir $cgroups/disk # after the agent began: nothing is missing either
inside rival taskset -c 1 timeout 2 sh -c 'while :; do :; done' &
inside busy taskset -c 1 timeout 2 sh -c 'while :; do :; done' || true
wait $! || true
inside hungry timeout 2 tail /dev/zero || true
inside grown dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null
inside disk dd if=/dev/zero of="$upper" bs=64k count=64 oflag=direct conv=nocreat 2>/dev/null
inside disk dd if="$upper" of=/dev/null bs=64k count=32 iflag=direct 2>/dev/null
# The container's first record has no network yet: that is where its counters begin.
wait_for 20 "the container's first record" has_record netted
connect "$(container.sh pid runc netted)"
send_packets
sleep 1.2
stop_agent
records_of unit_resources >rows.ndjson

read -r usage throttled periods limit bottleneck waited efficiency < <(of_unit /busy 'map(.cpu.usage_ns) | add' \
    'map(.cpu.throttled_ns) | add' 'map(.cpu.throttled_periods) | add' 'last.cpu.limit_cpus' \
    'any(.[]; .bottleneck == "cpu")' 'map(.pressure.cpu.some_ns) | add' 'map(.efficiency // 1) | min < 0.5')
[ "$throttled" -gt 500000000 ] || fail "the busy loop was throttled for $throttled ns only"
expect_equal "CPU time" "$(figure busy cpu.stat usage_usec)000" "$usage"
expect_equal "time throttled" "$(figure busy cpu.stat throttled_usec)000" "$throttled"
# Not nr_periods: the kernel counts some more of them when nobody is there any more.
expect_equal "throttled periods" "$(figure busy cpu.stat nr_throttled)" "$periods"
expect_equal "the limit" 0.2 "$limit"
expect_equal "a bottleneck of the busy loop" true "$bottleneck"
expect_equal "low efficiency of the busy loop" true "$efficiency"
# That the kernel counts who is throttled as waiting is what both stand on.
[ "$waited" -ge $((throttled / 2)) ] || fail "throttled for $throttled ns, and waited for $waited ns"
# Out of quota, it was pushed off by nobody, whoever ran then.
read -r pushed_off by_others < <(records_of sched | grep -F '"id":"/busy"' | jq -rs \
    '[(map(.preempted_ns) | add), ([.[].preempted_by[] | select(.unit) | .waited_ns] | add // 0)] | join(" ")')
[ "$pushed_off" -ge $((throttled / 2)) ] || fail "throttled for $throttled ns, and pushed off for $pushed_off ns"
[ "$by_others" -le $((throttled / 2)) ] || fail "throttled for $throttled ns, of which others are to have taken $by_others"

read -r bottleneck high stalled limit < <(of_unit /hungry 'any(.[]; .bottleneck == "memory")' \
    'map(.memory.high_events) | add' 'map(.pressure.memory.some_ns) | add' 'last.memory.high_bytes')
expect_equal "a bottleneck of the growing process" true "$bottleneck"
expect_equal "times above memory.high" "$(figure hungry memory.events high)" "$high"
expect_within "time that waited for memory" "$(figure hungry memory.pressure total)000" "$stalled" 2 1000000
expect_equal "memory.high" 16777216 "$limit"

read -r peak limit < <(of_unit /grown last.memory.peak_bytes 'last.memory.limit_bytes | tostring')
[ "$peak" -ge $((64 << 20)) ] || fail "64 MiB were touched, and the peak is $peak"
expect_equal "the peak of memory" "$(cat $cgroups/grown/memory.peak)" "$peak"
expect_equal "a limit that is not there" null "$limit"

read -r written writes bytes < <(of_unit /disk 'map(.io.written_bytes) | add' 'map(.io.writes) | add' \
    'map(.io.read_bytes) | add')
expect_equal "devices in io.stat" 2 "$(grep -c wbytes=4194304 $cgroups/disk/io.stat)"
expect_equal "bytes written" 4194304 "$written"
expect_equal "writes" 64 "$writes"
expect_equal "bytes read" "$(sed -n 's/^1:0 rbytes=\([0-9]*\).*/\1/p' $cgroups/disk/io.stat)" "$bytes"

read -r bytes packets sent < <(of_unit /isolab/netted 'map(.network.received_bytes // 0) | add' \
    'map(.network.received_packets // 0) | add' 'map(.network.sent_bytes // 0) | add')
expect_equal "bytes that the container received" 104200 "$bytes"
expect_equal "packets that it received" 100 "$packets"
expect_equal "bytes that it sent" 0 "$sent"
expect_equal "units in the host's network with figures of their own" '' \
    "$(grep -F '"network":' rows.ndjson | grep -vF '"kind":"container"' || true)"
expect_equal "the host in each window" "$(records_of ledger | grep -cF '"final":false')" \
    "$(grep -cF '"unit":{"kind":"host"' rows.ndjson)"
expect_equal "units without a place" 0 "$(final_ledger | jq .causes.resource_units_full)"
container.sh stop runc netted
dmsetup --noudevsync remove upper

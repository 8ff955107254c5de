#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Exits of a guest that makes an exact number of them: equal to what it executed, to perf's total, and by both roads.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
rounds=5000

run_guest() { # VCPUS
    perf stat -x, -o perf.csv -e kvm:kvm_exit -- small_guest "$rounds" --vcpus "$1" >guest.json
}

check() { # VCPUS
    local pid perf_total
    pid=$(jq .pid guest.json)
    perf_total=$(awk -F, '/kvm_exit/ { print $1 }' perf.csv)
    expect_equal "io exits" $((rounds * $1)) "$(sum_exits "$pid" count io)"
    expect_equal "cpuid exits" "$(jq .cpuid guest.json)" "$(sum_exits "$pid" count cpuid)"
    expect_equal "hlt exits" "$(jq .hlt guest.json)" "$(sum_exits "$pid" count hlt)"
    expect_equal "exits over all reasons, by perf" "$perf_total" "$(sum_exits "$pid" count)"
    records_of vm_exits | jq -e --argjson n "$rounds" --argjson vcpus "$1" -s \
        'map(select(.reason == "io")) | group_by(.vcpu) | length == $vcpus and all(.[]; (map(.count) | add) == $n)' \
        >/dev/null ||
        fail "not every vCPU has $rounds io exits"
    expect_ledger_closed
}

# By maps alone, over several windows.
start_agent -i 1s
run_guest 1
stop_agent
check 1
expect_equal "streamed exits" 0 "$(records_of vm_exit | wc -l)"

# Two vCPUs with 100,000 exits, by maps and ring at once. The emulated processors write 10,000 lines a second: the ring has
# to hold what comes meanwhile.
rounds=25000
start_agent -i 5s --events exits --data-ring 32M
run_guest 2
stop_agent
check 2
expect_equal "dropped exits" 0 "$(final_ledger | jq .classes.exits.dropped)"
compare_roads "$records"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kvm attaches when its modules appear, with the few capabilities that the agent keeps; without their BTF the classic tracepoint serves, with the same counts.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
rounds=3000

modprobe -r kvm_amd kvm
"$isoscope" check >check.txt
grep -q 'off *VM exits .*not loaded' check.txt || fail "check does not say that kvm is absent: $(cat check.txt)"
start_agent -i 1s
# What it has left by then: CAP_KILL, DAC_READ_SEARCH, SYS_PTRACE, SYS_ADMIN, PERFMON, BPF; DAC_OVERRIDE, if this folder is a user's.
wait_for 20 "capabilities to be dropped" grep -q '^CapEff:.000000c00028002[46]$' "/proc/$agent/status"
unshare --uts true
modprobe kvm_amd
wait_for 20 "kvm to be attached" agent_says 'VM exits are traced'
small_guest $rounds >guest.json
stop_agent
expect_equal "io exits after a late load" $rounds "$(sum_exits "$(jq .pid guest.json)" count io)"
expect_equal "cpuid exits after a late load" $rounds "$(sum_exits "$(jq .pid guest.json)" count cpuid)"

# The modules may leave and come back under a running agent, which must not keep kvm from being unloaded.
start_agent -i 1s
small_guest 100 >first.json
modprobe -r kvm_amd
wait_for 20 "kvm to be let go" agent_says 'VM exits are not traced any more'
wait_for 20 "kvm to be unloaded" modprobe -r kvm
: >"$messages"
modprobe kvm_amd
wait_for 20 "kvm to be attached again" agent_says 'VM exits are traced'
small_guest 200 >second.json
stop_agent
expect_equal "io exits before the modules were reloaded" 100 "$(sum_exits "$(jq .pid first.json)" count io)"
expect_equal "io exits after the modules were reloaded" 200 "$(sum_exits "$(jq .pid second.json)" count io)"
expect_equal "vCPUs left over" 0 "$(final_ledger | jq .maps.vcpus.entries)"
expect_ledger_closed

(hide_modules "$isoscope" check) >check.txt
grep -q 'degraded *VM exits *classic tracepoint' check.txt || fail "check does not tell of the fallback: $(cat check.txt)"
start_hidden_agent -i 1s
perf stat -x, -o perf.csv -e kvm:kvm_exit -- small_guest $rounds >guest.json
stop_agent
pid=$(jq .pid guest.json)
expect_equal "io exits by the classic tracepoint" $rounds "$(sum_exits "$pid" count io)"
expect_equal "cpuid exits by the classic tracepoint" $rounds "$(sum_exits "$pid" count cpuid)"
expect_equal "all exits by the classic tracepoint" "$(awk -F, '/kvm_exit/ { print $1 }' perf.csv)" "$(sum_exits "$pid" count)"

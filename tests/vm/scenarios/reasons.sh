#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Our names of exit reasons are this kernel's, of both vendors; --reason and --vcpu leave just what they name.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

check_reasons /sys/kernel/tracing/events/kvm/kvm_exit/format >reasons || fail "$(cat reasons)"

start_agent -i 1s --events exits --reason IO,0x78 --vcpu 1-3
small_guest 200 --vcpus 2 >guest.json
stop_agent
pid=$(jq .pid guest.json)
expect_equal "io exits of vCPU 1" 200 "$(sum_exits "$pid" count io)"
expect_equal "streamed io exits" 200 "$(records_of vm_exit | jq -s 'map(select(.reason == "io")) | length')"
expect_equal "reasons" '["hlt","io"]' \
    "$(grep -E '"type":"vm_exits?"' "$records" | jq -cs 'map(.reason) | unique')"
expect_equal "vCPUs" '[1]' "$(grep -E '"type":"vm_exits?"' "$records" | jq -cs 'map(.vcpu) | unique')"
expect_equal "context switches by unit" 0 "$(records_of sched | wc -l)"
path=$(sed -n 's/^0:://p' /proc/self/cgroup)
expect_equal "the VMM's cgroup" "[\"$path\"]" "$(records_of vm_exits | jq -cs 'map(.vm.cgroup.path) | unique')"

status=0
"$isoscope" run --reason npff 2>wrong || status=$?
expect_equal "exit status of a wrong reason" 2 "$status"
grep -qF 'did you mean npf?' wrong || fail "a wrong reason without the right one: $(cat wrong)"

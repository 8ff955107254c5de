#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# On Intel, by the types of kvm_intel: names and counts of all exit reasons are those of the kernel's own trace.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../vmx.sh
. "$(dirname "$0")/../vmx.sh"

"$isoscope" check >check.txt
grep -q "on *VM exits *tp_btf/kvm_exit, reason from kvm_intel's types" check.txt ||
    fail "check does not say that exits are read from kvm_intel's types: $(cat check.txt)"
start_trace
start_agent -i 1s
run_guests handle_kvm_exit_vmx
stop_agent
expect_exits

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# On Intel, single exits: reason and guest address of each are those of the kernel's own trace, in the same order.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../vmx.sh
. "$(dirname "$0")/../vmx.sh"

# By the guest that made them; an exit is told of at the next entry, so the last one of each guest is missing.
expect_same_exits() { # NAME
    kernel_exits "$1" | sed '$d' >"$1.stream.kernel"
    sed -n "s/^$(guest_says "$1" pid)\t//p" streamed >"$1.stream.ours"
    expect_same_lines "exits of $1, one by one" "$1.stream.kernel" "$1.stream.ours"
}

start_trace
start_agent -i 1s --events exits
run_guest exact $rounds
run_guest mixed $mixed_rounds --mix
expect_seen_by handle_kvm_exit_classic # only the classic tracepoint has the guest's address on VMX
stop_agent
records_of vm_exit | jq -r '[.vm.pid, .reason, .guest_rip] | @tsv' >streamed
expect_same_exits exact
expect_same_exits mixed
read_counts
expect_same_counts exact
expect_same_counts mixed
expect_clean_ledger

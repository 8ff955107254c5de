# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For scenarios on an Intel processor (scripts/intel_lab.sh), after lib.sh: compares our exits with what the kernel itself
# prints in its trace. Few calls of jq, as each takes seconds there.

readonly tracing=/sys/kernel/tracing

start_trace() {
    echo 4096 >$tracing/buffer_size_kb
    echo 1 >$tracing/events/kvm/kvm_exit/enable
    echo 1 >/proc/sys/kernel/bpf_stats_enabled
}

# What small_guest says is then in NAME.json, and what the kernel says in NAME.trace.
run_guest() { # NAME OPTION...
    local name=$1
    shift
    : >$tracing/trace
    small_guest "$@" >"$name.json" || fail "small_guest $* ended with $?"
    cat $tracing/trace >"$name.trace"
    grep -q '^# entries-in-buffer/entries-written: \([0-9]*\)/\1 ' "$name.trace" || fail "the trace of $name has holes"
}

guest_says() { sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p" "$1.json"; } # NAME MEMBER

# `REASON<tab>RIP` of each exit, in their order, in our words.
kernel_exits() { # NAME
    sed -n 's/.*: kvm_exit: vcpu [0-9]* reason \(.*\) rip \(0x[0-9a-f]*\) .*/\1\t\2/p' "$1.trace" |
        sed 's/ FAILED_VMENTRY\t/ (failed entry)\t/'
}

# `REASON<tab>COUNT`, sorted.
kernel_counts() { # NAME
    kernel_exits "$1" | cut -f 1 | sort | uniq -c | sed 's/^ *\([0-9]*\) \(.*\)/\2\t\1/'
}

# The same of the vm_exits records of all guests, for agent_counts.
read_counts() {
    records_of vm_exits | jq -rs 'group_by([.vm.pid, .isa, .reason])[] | [.[0].vm.pid, .[0].isa, .[0].reason, (map(.count) | add)] | @tsv' |
        sort >counts
}

agent_counts() { # NAME
    sed -n "s/^$(guest_says "$1" pid)\tvmx\t//p" counts
}

count_of() { agent_counts "$1" | sed -n "s/^$2\t//p"; } # NAME REASON

# Shows where they differ, not both: they may have hundreds of lines.
expect_same_lines() { # WHAT KERNELS OURS
    [ -s "$2" ] || fail "$1: the kernel's trace has none"
    diff -u "$2" "$3" >"$3.diff" || fail "$1: the kernel's (-) and ours (+) differ:
$(head -n 20 "$3.diff")"
}

# Every reason has the kernel's name and the kernel's count, and there is no other.
expect_same_counts() { # NAME
    kernel_counts "$1" >"$1.counts.kernel"
    agent_counts "$1" >"$1.counts.ours"
    expect_same_lines "exits of $1 by reason" "$1.counts.kernel" "$1.counts.ours"
}

# Fails unless PROGRAM, and it alone, saw each of all guests' exits.
expect_seen_by() { # PROGRAM
    expect_equal "programs at kvm_exit, and their runs" "$1 $(cat ./*.trace | grep -c ': kvm_exit: ')" \
        "$(bpftool prog show | sed -n 's/.* name \(handle_kvm_exit[a-z_]*\) .* run_cnt \([0-9]*\).*/\1 \2/p')"
}

# Each record was handled, and each reason had a name.
expect_clean_ledger() {
    local ledger
    ledger=$(records_of ledger | grep -F '"final":true') || fail "no final ledger"
    jq -e '.undecodable == 0 and .unknown_reasons == 0 and .causes.exit_reason_unreadable == 0 and
        all(.classes[]; .made == .handled and .dropped == 0)' <<<"$ledger" >/dev/null ||
        fail "the ledger tells of losses or of unknown reasons: $ledger"
}

readonly rounds=500 mixed_rounds=20

# Every VMX exit that a guest of ours can make, by the road that PROGRAM is on.
run_guests() { # PROGRAM
    run_guest exact $rounds
    run_guest mixed $mixed_rounds --mix
    run_guest refused 1 --bad-state
    expect_seen_by "$1"
}

expect_exits() {
    local guest reason
    read_counts
    for guest in exact mixed refused; do
        expect_same_counts $guest
    done
    expect_equal "IO_INSTRUCTION exits" $rounds "$(count_of exact IO_INSTRUCTION)"
    expect_equal "CPUID exits" "$(guest_says exact cpuid)" "$(count_of exact CPUID)"
    expect_equal "HLT exits" "$(guest_says exact hlt)" "$(count_of exact HLT)"
    for reason in MSR_READ MSR_WRITE CR_ACCESS WBINVD INVD VMCALL; do
        expect_equal "$reason exits" $mixed_rounds "$(count_of mixed $reason)"
    done
    # DR_ACCESS is one a round and some: where an interrupt comes between the exit and the instruction, which KVM lets through
    # at the second try, it exits again.
    for reason in DR_ACCESS EPT_VIOLATION EPT_MISCONFIG EXTERNAL_INTERRUPT; do
        [ -n "$(count_of mixed $reason)" ] || fail "the guest made no $reason exit: the comparison lacks it"
    done
    expect_equal "exits of a refused guest" "INVALID_STATE (failed entry)	1" "$(agent_counts refused)"
    expect_clean_ledger
}

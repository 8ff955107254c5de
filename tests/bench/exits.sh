#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What VM exits cost with one tool after the other attached: for scripts/bench.sh, inside the lab, under instruction
# counting (a ns is an instruction there). The guest's exits are known beforehand, and each tool has to have seen them.
#
#   exits.sh all|quick      every tool, or isoscope alone
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
# The vCPU is found, its cells are made and its pages are there long before the warm-up ends.
export rounds=10000 warm_up=1000
# Each round is two exits, and the last HLT one more. Some ten timer interrupts a run are spread over them.
readonly timed_events='.rounds * 2 + 1'

# Exported, for tools that run a command themselves. The pauses leave a tool time to finish with what it has got: on an idle
# processor they take none of ours.
timed_runs() {
    leave_tool
    for _ in 1 2 3; do
        sleep 5
        small_guest "$rounds" --warm-up "$warm_up" --settle-ms 1000 --watch "$tool_cgroup" >>"$runs"
    done
}
export -f timed_runs

# For tools that know the reason: OUT exits, exactly.
saw_io() { # COUNT
    local made
    made=$(made .io)
    is_count "$1" || fail "it reported no io exits but '$1', and $made were made"
    if [ "$made" -eq 0 ] || [ "$1" -ne "$made" ]; then
        fail "it saw $1 of $made io exits"
    fi
    echo "$1"
}

# For tools that count exits of any reason: host interrupts and page faults come on top, but few (15 beside 66,006 on
# Linux 6.12).
saw_all() { # COUNT [RUNS]
    local made
    made=$(made '.io + .cpuid + .hlt' "${2:-$runs}")
    saw_about "$1" "$made" $((made / 100)) exits
}

nothing() {
    timed_runs
    made .io
}

empty() {
    local proof=$bin/proof
    start_tool attached peers empty_exit
    timed_runs
    count_runs small_guest 1000 >"$proof"
    stop_tool
    saw_all "$(tail -n 1 "$bin/tool.out" | jq .runs)" "$proof"
}

bcc_way() {
    start_tool attached peers hash_exits
    timed_runs
    stop_tool
    saw_io "$(tail -n 1 "$bin/tool.out" | jq '[.exits[] | select(.reason == 123) | .exits] | add')"
}

# By grep first: jq reads 10,000 lines a minute in the lab.
isoscope_run() { # [OPTION...]
    local records=$bin/records.ndjson
    rm -f "$records"
    # An interval longer than the runs: reading the maps is the agent's work and not the exits'.
    start_tool 'isoscope: tracing' isoscope run -v -f ndjson -o "$records" -i 60s "$@"
    timed_runs
    stop_tool
    case " $* " in *' --events exits '*) saw_stream "$records" ;; esac
    saw_io "$(grep -F '"type":"vm_exits"' "$records" | jq -s 'map(select(.reason == "io") | .count) | add')"
}

saw_stream() { # RECORDS
    local dropped streamed
    dropped=$(grep -F '"type":"ledger"' "$1" | tail -n 1 | jq '.classes.exits.dropped')
    [ "$dropped" = 0 ] || fail "$dropped exits were dropped"
    streamed=$(grep -F '"type":"vm_exit"' "$1" | grep -cF '"reason":"io"' || true)
    saw_io "$streamed"
}

perf_stat() {
    perf stat -a -x, -o "$bin/perf.csv" -e kvm:kvm_exit,kvm:kvm_entry -- bash -c timed_runs
    saw_all "$(awk -F, '/kvm_exit/ { print $1 }' "$bin/perf.csv")"
}

perf_kvm() {
    perf kvm stat record -a -o "$bin/perf.data" -- bash -c timed_runs
    perf kvm -i "$bin/perf.data" stat report >"$bin/perf.txt" 2>&1
    cat "$bin/perf.txt" >&2
    saw_io "$(awk '$1 == "io" { print $2 }' "$bin/perf.txt")"
}

trace_cmd() {
    trace-cmd record -q -o "$bin/trace.dat" -e kvm:kvm_exit -e kvm:kvm_entry bash -c timed_runs
    trace-cmd report -i "$bin/trace.dat" >"$bin/trace.txt"
    tail -n 3 "$bin/trace.txt" >&2
    saw_io "$(grep -cE 'kvm_exit: +reason EXIT_IOIO ' "$bin/trace.txt" || true)"
}

# The cheapest of the four ways that were tried: one map for time and reason (two cost 400 more), read once (300), and no
# delete(@start[tid]), since the thread's next exit overwrites it (700).
bpftrace_histogram() {
    bpftrace -q -f json -o "$bin/bpftrace.json" -c '/bin/bash -c timed_runs' -e '
        tracepoint:kvm:kvm_exit { @start[tid] = (nsecs, args->exit_reason); }
        tracepoint:kvm:kvm_entry { $start = @start[tid]; if ($start.0) { @ns[tid, $start.1] = hist(nsecs - $start.0); } }'
    saw_io "$(grep -F '"@ns"' "$bin/bpftrace.json" |
        jq '[.data["@ns"] | to_entries[] | select(.key | endswith(",123")) | .value[].count] | add')"
}

main() { # all|quick
    copy_programs "${LAB_ISOSCOPE:-$root/build/isoscope}" "$root/build/release/tests/vm/small_guest" \
        "$root/build/release/tests/bench/peers"
    small_guest 100 >/dev/null
    measure 'nothing' nothing
    measure 'isoscope run' isoscope_run
    measure 'isoscope run --slow-exit 1ms' isoscope_run --slow-exit 1ms
    measure 'isoscope run --events exits' isoscope_run --events exits
    if [ "$1" = all ]; then
        measure 'empty program on kvm_exit (tp_btf)' empty
        measure 'bcc: tracepoints, hash by tid, log2 histogram' bcc_way
        measure 'perf stat -e kvm:kvm_exit,kvm:kvm_entry' perf_stat
        measure 'bpftrace, histogram by tid and reason' bpftrace_histogram
        measure 'perf kvm stat record' perf_kvm
        measure 'trace-cmd record -e kvm:kvm_exit -e kvm:kvm_entry' trace_cmd
    fi
    # Shows that nothing stayed behind.
    measure 'nothing, again' nothing
}

main "${1:-all}"

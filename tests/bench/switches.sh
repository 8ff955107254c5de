#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What context switches cost with one tool after the other attached, for scripts/bench.sh: inside the lab, under instruction
# counting (a ns is an instruction there), or on this machine, in ns. Two processes pass a byte to and fro on one processor,
# each passing is a switch, and each tool has to have seen them.
#
#   switches.sh all|quick          every tool, or `isoscope run` alone
#   switches.sh native all|quick   the same on this machine, in rounds
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
export round_trips=10000 warm_up=1000 repeats=3 pause_s=5 settle_ms=1000 load_cpu=0 load_nice=0
readonly timed_events='.round_trips * 2'

# Exported, for tools that run a command themselves. The pauses leave a tool time to finish with what it has got: on an idle
# processor they take none of ours.
timed_runs() {
    leave_tool
    local repeat
    for ((repeat = 0; repeat < repeats; repeat++)); do
        sleep "$pause_s"
        nice -n "$load_nice" pingpong "$round_trips" --cpu "$load_cpu" --warm-up "$warm_up" --settle-ms "$settle_ms" \
            --watch "$tool_cgroup" >>"$runs"
    done
}
export -f timed_runs

# Those of starting the load, of the kernel's threads and of the tool itself come on top: 1,200 of 66,000 in most rows, 4,400
# under `perf sched record` on Linux 6.1, and 200 of 2,000 in a short run.
on_top() { echo $(($(made .switches "${1:-$runs}") / 10 + 500)); } # [RUNS]

saw_switches() { # COUNT [RUNS]
    saw_about "$1" "$(made .switches "${2:-$runs}")" "$(on_top "${2:-$runs}")" switches
}

nothing() {
    timed_runs
    made .switches
}

empty() {
    local proof=$bin/proof
    start_tool attached peers empty_switch
    timed_runs
    count_runs pingpong 1000 >"$proof"
    stop_tool
    saw_switches "$(tail -n 1 "$bin/tool.out" | jq .runs)" "$proof"
}

isoscope_run() { # [OPTION...]
    local records=$bin/records.ndjson
    rm -f "$records"
    # An interval longer than the runs: reading the maps is the agent's work and not the switches'.
    start_tool 'isoscope: tracing' isoscope run -v -f ndjson -o "$records" -i 60s "$@"
    timed_runs
    stop_tool
    case " $* " in *' --events switches '*) saw_stream "$records" ;; esac
    saw_switches "$(grep -F '"type":"sched"' "$records" | jq -s --arg unit "/$(basename "$load_cgroup")" \
        'map(select(.unit.id == $unit) | .switches | .voluntary + .involuntary) | add')"
}

# By grep: jq reads 10,000 lines a minute in the lab.
saw_stream() { # RECORDS
    local dropped
    dropped=$(grep -F '"type":"ledger"' "$1" | tail -n 1 | jq '.classes.switches.dropped')
    [ "$dropped" = 0 ] || fail "$dropped switches were dropped"
    saw_switches "$(grep -F '"type":"switch"' "$1" | grep -cF "\"id\":\"/$(basename "$load_cgroup")\"" || true)"
}

# Of a histogram of the libbpf tools, as they print it.
in_histogram() { awk '$2 == "->" { sum += $5 } END { print sum }' "$bin/tool.out"; }

# They wait for SIGINT, and keep what they print until there is much of it if it goes into a file.
libbpf_tool() { # WORDS COMMAND...
    local words=$1
    shift
    start_tool "$words" stdbuf -oL "$@"
    timed_runs
    stop_tool INT
}

runqlat_row() {
    libbpf_tool 'Tracing run queue latency' runqlat
    saw_switches "$(in_histogram)"
}

# Without -O it counts those alone that still wanted to run: on Linux 6.12 every second one of the load, on 6.1 hardly any.
cpudist_row() {
    libbpf_tool 'Tracing on-CPU time' cpudist
    saw_about "$(in_histogram)" "$(made '(.involuntary | add)')" "$(on_top)" 'involuntary switches'
}

cpudist_off_row() {
    libbpf_tool 'Tracing off-CPU time' cpudist -O
    saw_switches "$(in_histogram)"
}

perf_stat() {
    perf stat -a -x, -o "$bin/perf.csv" -e context-switches -- bash -c timed_runs
    saw_switches "$(awk -F, '/context-switches/ { print $1 }' "$bin/perf.csv")"
}

samples_of() { # EVENT
    perf report --stats -i "$bin/perf.data" 2>/dev/null >"$bin/perf.txt"
    awk -v event="$1" '$2 == "stats:" { of = $1 } of == event && $1 == "SAMPLE" { print $3 }' "$bin/perf.txt"
}

perf_record() {
    perf record -q -a -e context-switches -c 1 -o "$bin/perf.data" -- bash -c timed_runs
    saw_switches "$(samples_of context-switches)"
}

perf_sched() {
    perf sched record -o "$bin/perf.data" -- bash -c timed_runs
    saw_switches "$(samples_of sched:sched_switch)"
}

# As its runqlat.bt, but without delete(@queued[...]), which costs more: before a task runs again it is queued, and the time
# written anew.
bpftrace_histogram() {
    bpftrace -q -f json -o "$bin/bpftrace.json" -c '/bin/bash -c timed_runs' -e '
        tracepoint:sched:sched_wakeup, tracepoint:sched:sched_wakeup_new { @queued[args->pid] = nsecs; }
        tracepoint:sched:sched_switch {
            @switches[args->prev_pid] = count();
            if (args->prev_state == 0) { @queued[args->prev_pid] = nsecs; }
            $queued = @queued[args->next_pid];
            if ($queued) { @us = hist((nsecs - $queued) / 1000); }
        }'
    saw_switches "$(jq -s 'map(.data["@switches"]? // empty) | add | add' "$bin/bpftrace.json")"
    saw_switches "$(jq -s 'map(.data["@us"]? // empty) | add | map(.count) | add' "$bin/bpftrace.json")"
}

in_lab() { # all|quick
    measure 'nothing' nothing
    measure 'isoscope run' isoscope_run
    if [ "$1" = all ]; then
        measure 'isoscope run --events switches' isoscope_run --events switches
        measure 'empty program on sched_switch (tp_btf)' empty
        measure 'perf stat -e context-switches' perf_stat
        measure 'libbpf-tools runqlat' runqlat_row
        measure 'libbpf-tools cpudist (of involuntary switches)' cpudist_row
        measure 'libbpf-tools cpudist -O' cpudist_off_row
        measure 'perf record -e context-switches -c 1' perf_record
        measure 'perf sched record' perf_sched
        measure 'bpftrace, count by pid and run-queue histogram' bpftrace_histogram
    fi
    # Shows that nothing stayed behind.
    measure 'nothing, again' nothing
}

# Each tool in turn, with nothing attached before and after it: what the machine itself does differs from second to second.
native_round() { # NUMBER ROW...
    local first=$1 i row
    shift
    local rows_of_round=("$@")
    measure nothing nothing
    for i in "${!rows_of_round[@]}"; do
        row=${rows_of_round[(i + first) % $#]}
        measure "${row#*:}" "${row%%:*}"
        measure nothing nothing
    done
}

natively() { # all|quick
    local rounds=31 row_list=(isoscope_run:'isoscope run') round
    # Many short runs: among them are some that nobody disturbed. Not on the first processor, which most interrupts come to.
    round_trips=500 warm_up=100 repeats=60 pause_s=0 settle_ms=0 load_cpu=$(($(nproc) - 1)) load_nice=-20
    if [ "$1" = all ]; then
        row_list+=(empty:'empty program on sched_switch (tp_btf)' perf_stat:'perf stat -e context-switches'
            runqlat_row:'libbpf-tools runqlat')
    fi
    trap 'rmdir "$tool_cgroup" "$load_cgroup"; [ ! -d "$pids_cgroup" ] || rmdir "$pids_cgroup"' EXIT
    for ((round = 1; round <= rounds; round++)); do
        say "round $round of $rounds"
        native_round $round "${row_list[@]}"
    done
}

main() { # [native] all|quick
    copy_programs "${LAB_ISOSCOPE:-$root/build/isoscope}" "$root/build/release/tests/vm/pingpong" \
        "$root/build/release/tests/bench/peers"
    pingpong 100 >/dev/null
    if [ "$1" = native ]; then
        natively "$2"
    else
        in_lab "$1"
    fi
}

main "$@"

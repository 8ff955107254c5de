#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What context switches cost with one tool after the other attached: for scripts/bench.sh, inside the lab, under instruction
# counting (a ns is an instruction there). Two processes pass a byte to and fro, each passing is a switch, and each tool has
# to have seen them.
#
#   switches.sh all|quick   every tool, or `isoscope run` alone
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/lib.sh"
export round_trips=10000 warm_up=1000
readonly timed_events='.round_trips * 2'

# Exported, for tools that run a command themselves. The pauses leave a tool time to finish with what it has got: on an idle
# processor they take none of ours.
timed_runs() {
    leave_tool
    for _ in 1 2 3; do
        sleep 5
        pingpong "$round_trips" --warm-up "$warm_up" --settle-ms 1000 --watch "$tool_cgroup" >>"$runs"
    done
}
export -f timed_runs

# The switches of others come on top: of the shell that starts the load, of the kernel's threads, of the tool itself.
saw_switches() { saw_about "$1" "$(made .switches)" switches; } # COUNT

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
    saw_about "$(tail -n 1 "$bin/tool.out" | jq .runs)" "$(made .switches "$proof")" switches
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

main() { # all|quick
    copy_programs "${LAB_ISOSCOPE:-$root/build/isoscope}" "$root/build/release/tests/vm/pingpong" \
        "$root/build/release/tests/bench/peers"
    pingpong 100 >/dev/null
    measure 'nothing' nothing
    measure 'isoscope run' isoscope_run
    if [ "$1" = all ]; then
        measure 'isoscope run --events switches' isoscope_run --events switches
        measure 'empty program on sched_switch (tp_btf)' empty
    fi
    # Shows that nothing stayed behind.
    measure 'nothing, again' nothing
}

main "${1:-all}"

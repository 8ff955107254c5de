# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For benchmarks inside the lab, or on this machine if BENCH_OUT names a folder: rows of a table, each measured with one tool
# attached. A benchmark is a script that sources this file, says how its load is run (timed_runs, which calls leave_tool
# first) and how many events a run has by its report (timed_events, for jq), and calls `measure` for each row. Rows go to
# rows.ndjson in $LAB_OUT or $BENCH_OUT.
set -euo pipefail

root=$(readlink -f "$(dirname "${BASH_SOURCE[0]}")/../..")
export root
readonly out=${BENCH_OUT:-${LAB_OUT:?is set by lab.sh --out}} rows=${BENCH_OUT:-$LAB_OUT}/rows.ndjson
# Of the lab's memory: a page that is first read from the host's files in the middle of a run would be part of its cost.
readonly bin=${BENCH_OUT:-/tmp}/bench
export PATH=$bin:$PATH:/usr/sbin
export runs=$bin/runs
cgroups=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)
readonly cgroups
# A tool runs in a cgroup with all of its processes, so that what they use can be told from what the load uses.
export tool_cgroup=$cgroups/bench.tool load_cgroup=$cgroups/bench.load
mkdir -p "$tool_cgroup" "$load_cgroup"
# Where the controllers belong to cgroup v1 isoscope tells units apart by the hierarchy of pids.
export pids_cgroup=/sys/fs/cgroup/pids/${load_cgroup##*/}
[ ! -e /sys/fs/cgroup/pids/cgroup.procs ] || mkdir -p "$pids_cgroup"
tool=''
uname -r >"$out/release"

say() { echo "$(basename "$0" .sh): $*" >&2; }

fail() {
    echo "$*" >&2
    exit 1
}

# 0 is the process that writes.
leave_tool() {
    echo 0 >"$load_cgroup/cgroup.procs"
    [ ! -d "$pids_cgroup" ] || echo 0 >"$pids_cgroup/cgroup.procs"
}
export -f leave_tool

copy_programs() { # FILE...
    mkdir -p "$bin"
    cp -t "$bin" "$@"
}

last_words() { tail -n 3 "$bin/tool.err" | tr '\n' ' ' | grep . || echo "nothing on its standard error"; }

# Runs a tool in the background, until `stop_tool`. Returns once it has said that it is attached.
start_tool() { # WORDS COMMAND...
    local words=$1 tries=0
    shift
    # Before it starts: the words of the tool before it would pass for its own.
    : >"$bin/tool.out"
    : >"$bin/tool.err"
    "$@" >"$bin/tool.out" 2>"$bin/tool.err" &
    tool=$!
    until grep -qF -- "$words" "$bin/tool.out" "$bin/tool.err"; do
        kill -0 "$tool" 2>/dev/null || fail "it ended before it said '$words': $(last_words)"
        tries=$((tries + 1))
        [ $tries -le 600 ] || fail "it did not say '$words' within 60 s: $(last_words)"
        sleep 0.1
    done
}

# SIGTERM, as SIGINT is ignored by what a script runs in the background and that does not ask for it.
stop_tool() { # [SIGNAL]
    local status=0
    kill "-${1:-TERM}" "$tool"
    wait "$tool" || status=$?
    tool=''
    [ $status -eq 0 ] || fail "it ended with $status: $(last_words)"
}

kill_tool() {
    [ -z "$tool" ] || kill -KILL "$tool" 2>/dev/null || true
}

made() { jq -s "map($1) | add // 0" "${2:-$runs}"; } # FILTER [RUNS]

# What a tool printed where its count should be may be anything.
is_count() { [[ $1 =~ ^[0-9]+$ ]]; }

# For tools that count the events of the whole machine: not one that was made may be missing, and few come on top. Outside of
# the lab others make as many as they like, and a few may be missing: on one 6.18 kernel no program sees each switch.
saw_about() { # COUNT MADE ON_TOP NAME
    local least=$2 most=$(($2 + $3))
    [ -z "${BENCH_OUT:-}" ] || { least=$(($2 - $2 / 100)) && most=$1; }
    is_count "$1" || fail "it reported no $4 but '$1', and $2 were made"
    if [ "$2" -eq 0 ] || [ "$1" -lt "$least" ] || [ "$1" -gt "$most" ]; then
        fail "it saw $1 $4, and $2 were made"
    fi
    echo "$1"
}

# An empty program cannot tell whether it ran. The kernel counts its runs, when asked, which costs more than the program: so
# in one more run.
count_runs() { # COMMAND...
    local status=0
    sysctl -q kernel.bpf_stats_enabled=1
    "$@" || status=$?
    sysctl -q kernel.bpf_stats_enabled=0 # first: left on, it would be in the rows that follow
    [ $status -eq 0 ] || fail "the run that proves it ended with $status"
}

# One row: FUNCTION attaches its tool, has timed_runs called, and prints how many events the tool saw; it fails if
# that is not what happened, since the cost of a tool that was not there is no cost. The other rows go on.
measure() { # NAME FUNCTION [ARGUMENT...]
    local name=$1 status=0
    shift
    [ -n "${BENCH_OUT:-}" ] || say "$name"
    : >"$runs"
    # In the background: `set -e` would be off in a condition.
    (
        trap kill_tool EXIT
        echo 0 >"$tool_cgroup/cgroup.procs"
        "$@"
    ) >"$bin/seen" 2>"$bin/messages" &
    wait $! || status=$?
    [ $status -eq 0 ] || sed 's/^/    /' "$bin/messages" >&2
    jq -cs --arg name "$name" --arg seen "$(tail -n 1 "$bin/seen")" --argjson status $status \
        --arg messages "$(grep . "$bin/messages" | tail -n 1 || echo 'a command failed without a word')" \
        "{name: \$name, seen: (\$seen | tonumber? // null),
          runs: map({events: (${timed_events:?}), elapsed_ns, thread_ns, tool_ns: .watched_ns})} +
         if \$status == 0 then {} else {error: \"\(\$messages) (status \(\$status))\"} end" "$runs" >>"$rows"
}

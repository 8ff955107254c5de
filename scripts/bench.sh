#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures what isoscope costs, beside what others cost in the same run, and prints it as tables and as JSON.
set -euo pipefail
readonly called_in=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'TEXT'
usage: scripts/bench.sh [OPTION...] [SECTION...]

  exits       instructions that each VM exit costs more with a tool attached; in the lab, under instruction counting
  switches    the same per context switch; and in nanoseconds, on this machine, as root
  userspace   events that one core decodes and aggregates in a second; on this machine

Without a SECTION all of them.

  --kernel 6.1|6.12|all   the lab's kernel                        (6.12)
  --native                of the switches those on this machine alone
  --quick                 of the tools isoscope alone; of the switches those in the lab alone, and none streamed
  --isoscope FILE         measure this program in place of build/isoscope
  --json FILE             where the figures go                    (build/bench/bench.json)
  -h, --help              this text

Installs what is missing (setup.sh --bench) and builds first. A tool that did not see the events it should have seen has no
figure but an error; the exit status is then 1.
TEXT
}

readonly out=$PWD/build/bench
readonly lab_timeout_s=2400 # 6 to 9 minutes on two busy cores, half of them the start and the reports of the other tools
kernels=(6.12) which=all json=$out/bench.json isoscope='' native='' sections=() parts=()
status=0
scratch=''

say() { echo "bench.sh: $*" >&2; }

misused() {
    say "$* (see --help)"
    exit 2
}

# A path as the caller meant it: this script has changed the folder.
from_caller() {
    case "$1" in
    /*) echo "$1" ;;
    *) echo "$called_in/$1" ;;
    esac
}

parse_options() {
    while [ $# -gt 0 ]; do
        case "$1" in
        --kernel | --isoscope | --json) [ $# -gt 1 ] || misused "$1 wants a value" ;;&
        --kernel)
            case "$2" in
            6.1 | 6.12) kernels=("$2") ;;
            all) kernels=(6.1 6.12) ;;
            *) misused "--kernel: there are 6.1, 6.12 and all, not '$2'" ;;
            esac
            shift
            ;;
        --isoscope) isoscope=$(from_caller "$2") && shift ;;
        --json) json=$(from_caller "$2") && shift ;;
        --quick) which=quick ;;
        --native) native=only ;;
        -h | --help) usage && exit 0 ;;
        exits | switches | userspace) sections+=("$1") ;;
        *) misused "unknown argument '$1'" ;;
        esac
        shift
    done
    [ ${#sections[@]} -gt 0 ] || sections=(exits switches userspace)
}

wants() { case " ${sections[*]} " in *" $1 "*) ;; *) return 1 ;; esac; }

# The lab sees this tree wherever it is, but not every other place.
take_isoscope() {
    [ -n "$isoscope" ] || return 0
    cp "$isoscope" "$scratch/isoscope" || misused "--isoscope: cannot copy '$isoscope'"
    export LAB_ISOSCOPE=$scratch/isoscope
}

# Prints the table of some figures, and has them in the JSON.
take_figures() { # FILE TABLE
    parts+=("$1")
    jq -r -L tests/bench -f "tests/bench/$2.jq" "$1"
    jq -e '.failed == 0' "$1" >/dev/null || status=1
}

no_figures() { # WHAT WHY
    say "$1 has no figures: $2"
    status=1
}

# Runs a benchmark of tests/bench in the lab.
in_lab() { # NAME KERNEL
    local what="$1 on Linux $2" folder=$scratch/$1-$2 figures=$scratch/$1-$2.json lab=0
    mkdir -p "$folder"
    say "$what"
    scripts/lab.sh --kernel "$2" --icount --timeout "$lab_timeout_s" --out "$folder" -- "tests/bench/$1.sh" "$which" ||
        lab=$?
    if [ $lab -ne 0 ]; then
        no_figures "$what" "the lab ended with $lab (its last words are above), after these rows:"
        jq -r '"    \(.name)"' "$folder/rows.ndjson" >&2 || true
    elif ! jq -s --arg section "$1" --arg kernel "$2" --arg release "$(cat "$folder/release")" -f tests/bench/rows.jq \
        "$folder/rows.ndjson" >"$figures"; then
        no_figures "$what" "its rows make no table (jq says why, above)"
    else
        take_figures "$figures" table
    fi
}

in_each_lab() { # NAME
    local kernel
    for kernel in "${kernels[@]}"; do
        in_lab "$1" "$kernel"
    done
}

cpu_model() { awk -F ': *' '$1 ~ /^model name/ { print $2; exit }' /proc/cpuinfo; }

switches_natively() {
    local what="switches on this machine" folder=$scratch/native figures=$scratch/native.json
    if [ "$EUID" -ne 0 ]; then
        # Unasked for, they are no reason to fail.
        say "$what are left out: not root"
        [ -z "$native" ] || status=1
        return
    fi
    mkdir -p "$folder"
    say "$what"
    if ! BENCH_OUT=$folder tests/bench/switches.sh native "$which"; then
        no_figures "$what" "the benchmark failed (its last words are above)"
    elif ! jq -s --arg release "$(uname -r)" --arg cpu "$(cpu_model)" --argjson cpus "$(nproc)" \
        -f tests/bench/native.jq "$folder/rows.ndjson" >"$figures"; then
        no_figures "$what" "its rows make no table (jq says why, above)"
    else
        take_figures "$figures" native_table
    fi
}

bench_switches() {
    [ -n "$native" ] || in_each_lab switches
    if [ -n "$native" ] || [ "$which" = all ]; then
        switches_natively
    fi
}

bench_userspace() {
    local figures=$scratch/userspace.json log=$scratch/userspace.log
    say "userspace"
    if ! build/release/tests/bench/userspace_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only=true \
        --benchmark_out="$scratch/google.json" --benchmark_out_format=json >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        no_figures userspace "its benchmark failed (its last words are above)"
        return
    fi
    jq -f tests/bench/userspace.jq "$scratch/google.json" >"$figures"
    take_figures "$figures" userspace_table
}

# One object: a member per section, with an element for each run of it.
write_json() {
    jq -s --arg commit "$(git describe --always --dirty 2>/dev/null || echo unknown)" --arg time "$(date -u +%FT%TZ)" \
        '{schema: "isoscope.bench.v1", time: $time, commit: $commit} +
         (group_by(.section) | map({key: .[0].section, value: map(del(.section))}) | from_entries)' \
        "${parts[@]}" >"$json"
    say "figures are in $json"
}

main() {
    parse_options "$@"
    scripts/setup.sh --bench
    scripts/build.sh
    mkdir -p "$out"
    scratch=$(mktemp -d "$out/run.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    take_isoscope
    ! wants exits || in_each_lab exits
    ! wants switches || bench_switches
    ! wants userspace || bench_userspace
    [ ${#parts[@]} -eq 0 ] || write_json
    exit $status
}

main "$@"

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For scenarios: starting and stopping the agent, reading its records, and saying what is wrong. A scenario is a script that
# sources this file, runs as root inside the lab in a folder of its own, and ends with 0 if all that it expects is true.
set -euo pipefail

here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
root=$(readlink -f "$here/../..")
readonly here root
readonly tools=$root/build/release/tests/vm
readonly isoscope=$root/build/isoscope
export PATH=$here:$tools:$PATH
records=$PWD/records.ndjson
messages=$PWD/messages
agent=''

fail() {
    echo "FAILED: $*" >&2
    [ ! -s "$messages" ] || sed 's/^/  agent: /' "$messages" | tail -n 20 >&2
    exit 1
}

expect_equal() { # WHAT EXPECTED ACTUAL
    [ "$2" = "$3" ] || fail "$1: expected $2, got $3"
}

expect_within() { # WHAT EXPECTED ACTUAL PERCENT SLACK
    jq -en --argjson e "$2" --argjson a "$3" --argjson p "$4" --argjson s "${5:-0}" \
        '($e - $a | fabs) <= ([$e * $p / 100, $s] | max)' >/dev/null ||
        fail "$1: expected $2 within $4 % or ${5:-0}, got $3"
}

wait_for() { # SECONDS WHAT COMMAND...
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || fail "waited in vain for $what"
        sleep 0.1
    done
}

# From outside the machine, while it stands still; see scripts/lab/memory.sh.
write_memory() { # ADDRESS VALUE [ADDRESS VALUE]...   hexadecimal, 8 bytes each
    local answer=nothing
    exec 8<>/dev/vport0p4
    echo "$*" >&8
    read -r -t 120 answer <&8 || true
    exec 8>&-
    expect_equal "what the lab answered" written "$answer"
}

agent_says() { grep -qF -- "$1" "$messages"; }

# Returns when everything is attached: what runs from then on is seen.
start_agent() { # OPTION...
    launch_agent "$isoscope" run -v -f ndjson -o "$records" "$@"
}

# The same where the kvm modules seem to have no BTF.
start_hidden_agent() { # OPTION...
    launch_agent hide_modules "$isoscope" run -v -f ndjson -o "$records" "$@"
}

launch_agent() { # COMMAND...
    : >"$messages"
    rm -f "$records"
    "$@" 2>"$messages" &
    agent=$!
    # The verifier under emulation, on a busy host.
    wait_for 180 "the agent to attach" agent_ready
    expect_agent
}

# Becomes the command, in a mount namespace that shows the kernel's own BTF alone.
hide_modules() { # COMMAND...
    mkdir -p btf
    touch btf/vmlinux
    exec unshare --mount bash -c 'mount --bind /sys/kernel/btf/vmlinux "$1/btf/vmlinux" && mount --rbind "$1/btf" /sys/kernel/btf && shift && exec "$@"' \
        bash "$PWD" "$@"
}

agent_ready() { agent_says 'isoscope: tracing' || ! kill -0 "$agent"; }

# It runs; otherwise says with what status it ended.
expect_agent() {
    local status=0
    ! kill -0 "$agent" 2>/dev/null || return 0
    wait "$agent" || status=$?
    fail "the agent had ended by itself with status $status"
}

stop_agent() { # [SIGNAL]
    local status=0
    expect_agent
    kill -"${1:-INT}" "$agent"
    wait "$agent" || status=$?
    agent=''
    expect_equal "exit status of the agent" 0 "$status"
}

# Values of a jq filter over all records, one a line.
query() { jq -r "$@" "$records"; }

# Records of one type. By grep, as an emulated processor reads 10,000 lines a minute with jq.
records_of() { grep -F "\"type\":\"$1\"" "$records" || true; }

# Sum over all windows of a member of the vm_exits records of a process.
sum_exits() { # PID MEMBER [REASON]
    records_of vm_exits | jq -rs --argjson pid "$1" --arg member "$2" --arg reason "${3:-}" \
        '[.[] | select(.vm.pid == $pid and ($reason == "" or .reason == $reason)) | .[$member]] | add // 0'
}

final_ledger() { records_of ledger | jq -c 'select(.final)'; }

# From a report of perf kvm stat, reasons with count and mean in us: `1234 7.89 npf`. A reason may have a blank in it (`UD excp`).
#    npf   1234   56.78%   9.01%   1.23us   456.78us   7.89us ( +-   1.23% )
read_perf_report() { sed -nE 's/^ *([^ ].*[^ ]) +([0-9]+) +[0-9.]+% .* ([0-9.]+)us \(.*/\2 \3 \1/p'; }

count_violations() { records_of violation | wc -l; }
# Who enters namespaces by /proc/PID/ns has looked into another's /proc first, which is a violation of its own.
count_denied_crossings() { records_of violation | grep -cF '"crossing":' || true; }

# made == handled + dropped in every class, and nothing unreadable.
expect_ledger_closed() {
    local ledger
    ledger=$(final_ledger)
    [ -n "$ledger" ] || fail "no final ledger"
    jq -e '.undecodable == 0 and all(.classes[]; .made == .handled + .dropped)' <<<"$ledger" >/dev/null ||
        fail "the ledger does not close: $ledger"
}

# Programs of ours that the kernel still holds.
attached_programs() { bpftool -j prog show | jq '[.[] | select(.name // "" | startswith("handle_"))] | length'; }

clean_up() {
    [ -z "$agent" ] || kill -KILL "$agent" 2>/dev/null || true
}
trap clean_up EXIT

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs inside the system that machine.sh boots: the stage whose number is in /stage, of those in /stages.sh.
set -euo pipefail
readonly log=/var/log/isoscope/isoscope.ndjson

fail() {
    echo "FAILED: $*"
    systemctl status --no-pager --full isoscope || true
    journalctl --no-pager --lines 30 || true
    exit 1
}

expect() { # WHAT EXPECTED ACTUAL
    [ "$2" = "$3" ] || fail "$1: expected $2, got $3"
}

wait_for() { # SECONDS WHAT COMMAND...
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "waited in vain for $what"
        sleep 0.2
    done
}

property() { systemctl show isoscope --property "$1" --value; }
state() { property ActiveState; }
has_records() { [ -s $log ] && tail -n 1 $log | jq -e .schema >/dev/null 2>&1; }
was_fed_since() { [ "$(property WatchdogTimestampMonotonic)" -gt "$1" ]; }
says() { journalctl --no-pager --output cat --unit isoscope | grep -qF -- "$1"; }

# shellcheck source=deb.sh
. /stages.sh
stage=$(cat /stage)
"stage_$stage"
echo "stage $stage done"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `isoscope run -- COMMAND` ends with the command and has its status; with --fail-on it is 3 for a violation by the command
# or what it started, in whatever cgroup, and not for those of others meanwhile.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
id=$(printf 'a%.0s' {1..64})
other_id=$(printf 'b%.0s' {1..64})

expect_status() { # STATUS OPTION... -- COMMAND...
    local expected=$1 status=0
    shift
    rm -f "$records"
    "$isoscope" run -f ndjson -o "$records" --fail-on high "$@" 2>"$messages" || status=$?
    expect_equal "exit status of isoscope run $*" "$expected" $status
}

escapes_of() { # UNIT-ID
    query --arg id "$1" 'select(.type == "violation" and .unit.id == $id) | .crossing.direction // empty'
}

# Its own status, and its own standard output. (Each run costs some 8 s of an emulated processor.)
status=0
said=$("$isoscope" run -- sh -c 'echo hello; exit 7' 2>"$messages") || status=$?
expect_equal "what the command said" "hello 7" "$said $status"
grep -q 'no violations' "$messages" || fail "there is no summary on standard error: $(cat "$messages")"
expect_status 127 -- no-such-command
expect_ledger_closed
agent_says 'cannot run no-such-command: No such file or directory' || fail "the reason is missing: $(cat "$messages")"
expect_status 143 -d 1s -- sleep 100
expect_equal "cgroups left behind" "" "$(find /sys/fs/cgroup -name 'isoscope-run-*')"

# Signals to the agent reach the command, which decides.
"$isoscope" run -v -f ndjson -o "$records" -- sh -c 'trap "exit 9" TERM; touch ready; while :; do sleep 0.1; done' 2>"$messages" &
agent=$!
wait_for 60 "the command" test -e ready
kill -TERM "$agent"
status=0
wait "$agent" || status=$?
agent=''
expect_equal "exit status of a command that was told to end" 9 $status

# Sandboxes are no violation, not in a cgroup of their own either; nor is who enters a container from the host.
# Nothing but its own program is in the cgroup of the command, as in that of a container.
expect_status 0 -- unshare -mpu setns_to 1 uts -- /bin/true
container.sh create-bundle "$PWD/victim" --cgroup "/docker/$other_id" --hostpid --privileged --add "$tools/setns_to" -- sleep 600
container.sh start runc victim "$PWD/victim"
victim=$(container.sh pid runc victim)
expect_status 0 -- sh -c "unshare -n true && setns_to $victim mnt,uts,net -- /bin/true"

# A container that the command starts, in a cgroup outside of the command's, and that escapes.
container.sh create-bundle "$PWD/escaping" --cgroup "/docker/$id" --hostpid --privileged --add "$tools/setns_to" -- \
    /bin/setns_to 1 uts -- /bin/sleep 1
expect_status 3 -- runc run --bundle "$PWD/escaping" escaping
expect_equal "direction" escape "$(escapes_of "$id")"
expect_equal "ancestry" "runc isoscope true" "$(query 'select(.type == "violation" and .crossing) | .crossing
    | ([.ancestry[:2][].exe | split("/") | last] | join(" ")) + " \(.ancestry_complete)"')"
agent_says 'the command itself ended with 0' || fail "the verdict says nothing of the command: $(cat "$messages")"

# One that was there before, and into which the command's process goes: its cgroup is somebody else's.
expect_status 3 -- runc exec victim /bin/setns_to 1 uts -- /bin/sleep 1
expect_equal "direction" escape "$(escapes_of "$other_id")"

# The same by somebody else while the command runs: told, and no reason to fail.
mkfifo go
(
    read -r _ <go
    runc exec victim /bin/setns_to 1 uts -- /bin/sleep 1 >/dev/null
    : >over
) &
expect_status 0 -- sh -c 'echo >go; until [ -e over ]; do sleep 0.1; done'
expect_equal "direction" escape "$(escapes_of "$other_id")"
wait
container.sh stop runc victim

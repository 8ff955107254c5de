#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A policy that is enforced: who leaves its container for the host is killed by the program that sees it, within its system
# call, and without fentry at its next switch. Where only userspace knows what the policy says, the agent kills. Each record
# says which of the two it was, and a policy that is not enforced kills nobody.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

write_policy() { # ENFORCE EXCEPT
    cat >policy.yaml <<YAML
name: no-way-out
severity: critical
enforce: $1
rules:
  - {name: way-out, on: {event: crossing, direction: escape, unit.kind: container},$2 effect: deny}
YAML
}

reload() { # ENFORCE EXCEPT
    local before
    before=$(grep -c 'policies reloaded' "$messages" || true)
    write_policy "$@"
    kill -HUP "$agent"
    # shellcheck disable=SC2016 # for that shell
    wait_for 10 "the new policy" bash -c '[ "$(grep -c "policies reloaded" "$0")" -gt "$1" ]' "$messages" "$before"
}

# Enters the host's uts namespace, says so, and goes on as COMMAND.
escape() { # STATUS COMMAND...
    local expected=$1 status=0
    shift
    container.sh exec runc one /bin/setns_to 1 uts -- "$@" >said || status=$?
    expect_equal "exit status of the escape" "$expected" $status
}

# Of the last violation of the rule.
enforcement() {
    records_of violation | grep -F '"rule":"way-out"' | tail -n 1 | jq -r \
        '[.enforcement // {} | .by, .sent, .completed, .ran_on | tostring] | join(" ")'
}
enforced() { # COUNT
    [ "$(records_of violation | grep -cF '"rule":"way-out"')" = "$1" ]
}

trap 'echo 1 >/proc/sys/kernel/ftrace_enabled; clean_up' EXIT
id=$(printf 'a%.0s' {1..64})
container.sh create-bundle "$PWD/one" --cgroup "/docker/$id" --hostpid --privileged --add "$tools/setns_to" -- sleep 600
container.sh start runc one "$PWD/one"

write_policy true ''
start_agent -i 60s --policy policy.yaml
escape 137 busybox sleep 600
expect_equal "what it said after its system call" '' "$(cat said)"
wait_for 10 "the violation" enforced 1
expect_equal "killed within its system call" "kernel true true false" "$(enforcement)"

# A repeat, which may be folded: then it is told at the end.
reload true ' except: {exe: "*/nobody"},'
# The agent may be fast enough that it is killed before it has said so.
for _ in 1 2 3; do
    escape 137 busybox sleep 601
    ! grep -q '"setns":1' said || break
done
grep -q '"setns":1' said || fail "it was killed before it had gone on"
stop_agent
expect_equal "killed by the agent" "agent true true true" "$(enforcement)"
expect_ledger_closed

write_policy false ''
start_agent -i 60s --policy policy.yaml
escape 0 busybox true
wait_for 10 "the violation" enforced 1
expect_equal "nothing was enforced" "null null null null" "$(enforcement)"
stop_agent

echo 0 >/proc/sys/kernel/ftrace_enabled
write_policy true ''
start_agent -i 60s --policy policy.yaml
escape 137 busybox sleep 602
wait_for 10 "the violation" enforced 1
expect_equal "killed at its next switch" "kernel true true true" "$(enforcement)"
stop_agent
expect_ledger_closed
echo 1 >/proc/sys/kernel/ftrace_enabled
container.sh stop runc one

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A process of a container reaches for what is not its own, without changing a namespace: each is one violation with the right
# rule, direction and target. What runs inside of its container, and the host, are silent. What the kernel refuses it is an
# attempt, and no violation.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

start_container() { # NAME CHARACTER
    local id
    id=$(printf "$2%.0s" {1..64})
    container.sh create-bundle "$PWD/$1" --cgroup "/docker/$id" --hostpid --privileged --add "$tools/clone_new" -- sleep 600
    container.sh start runc "$1" "$PWD/$1"
}

# Rule, direction, action and target of the one violation, by a record of its own each time.
expect_violation() { # RULE DIRECTION ACTION TARGET-PID COMMAND...
    local expected="$1 $2 $3 $4"
    shift 4
    container.sh exec runc one "$@" >/dev/null 2>&1 || true
    wait_for 10 "the violation $expected" grep -q "\"rule\":\"${expected%% *}\"" "$records"
    expect_equal "violation" "$expected" "$(records_of violation | grep "\"rule\":\"${expected%% *}\"" | jq -r \
        '[.policy.rule, .access.direction, .access.action, .access.to.pid // "none"] | join(" ")')"
}

core_pattern=$(cat /proc/sys/kernel/core_pattern)
trap 'echo "$core_pattern" >/proc/sys/kernel/core_pattern; clean_up' EXIT
start_container one a
start_container two b
sleep 600 &
victim=$!
other=$(container.sh pid runc two)
start_agent -i 60s --events accesses,attempts

# Silence first: a shell with children and signals of its own, and the host in the container.
container.sh exec runc one sh -c 'sleep 100 & kill -CONT $!; kill -9 $!; ls -l /proc/self/root /proc/$$/fd' >/dev/null
kill -CONT "$other"
ls "/proc/$other/root" >/dev/null
expect_equal "violations by what may be" 0 "$(count_violations)"

expect_violation signal-across escape signal $victim kill -CONT $victim
expect_violation proc-across lateral ptrace_read "$other" ls "/proc/$other/root/"
expect_violation ptrace-across lateral ptrace "$other" sh -c ": </proc/$other/mem"
expect_violation kernel-helper escape core_pattern none sh -c 'echo "|/tmp/evil" >/proc/sys/kernel/core_pattern'
expect_equal "the pattern in the record" '|/tmp/evil' "$(records_of violation | jq -r '.access.path // empty')"

# nsenter keeps the folder that it was told to open before it enters.
box=$(container.sh pid runc one)
# shellcheck disable=SC2016 # for that shell
bash -c 'echo $$ >"/sys/fs/cgroup$(sed -n s/^0:://p /proc/$0/cgroup)/cgroup.procs" && exec nsenter -t $0 -m --wd=/etc busybox true' "$box"
wait_for 10 "the violation foreign-folder" grep -q '"rule":"foreign-folder"' "$records"
expect_equal "violations" 5 "$(count_violations)"

# Nobody in there: without capabilities. Its own namespace is no crossing, were it allowed or not.
refused() { # OPTION... -- COMMAND...
    local options=()
    while [ "$1" != -- ]; do options+=("$1") && shift; done
    shift
    ! container.sh exec runc --user 1000 "${options[@]}" one "$@" >/dev/null 2>&1 || fail "$* was not refused"
}
refused -- unshare --uts true
refused -- unshare --mount --net true
refused -- clone_new
refused --preserve-fds 1 -- nsenter --uts=/proc/self/fd/3 true 3</proc/1/ns/uts
refused --preserve-fds 1 -- nsenter --uts=/proc/self/fd/3 true 3<"/proc/$other/ns/uts"
refused --preserve-fds 1 -- nsenter --uts=/proc/self/fd/3 true 3<"/proc/$box/ns/uts"
unshare --uts setpriv --reuid 1000 --clear-groups unshare --uts true 2>/dev/null && fail "the host was not refused"
stop_agent
# shellcheck disable=SC2016 # these are jq's variables
expect_equal "attempts" "unshare uts 1 nest container
unshare mnt,net 1 nest container
clone uts 1 nest container
setns uts 1 escape host
setns uts 1 lateral container" "$(records_of attempt | jq -r --arg id "$(printf 'a%.0s' {1..64})" \
    'select(.unit.id == $id) | [.kind, (.namespaces | join(",")), .errno, .direction, .to.unit.kind] | join(" ")')"
expect_equal "attempts of others" 5 "$(records_of attempt | wc -l)"
expect_equal "violations at the end" 5 "$(count_violations)"
expect_ledger_closed
container.sh stop runc one
container.sh stop runc two

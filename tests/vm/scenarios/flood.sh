#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A flood that overruns a small data ring loses no security event, and the ledger says what became of every record.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
id=$(printf 'c%.0s' {1..64})
changes=200

container.sh create-bundle "$PWD/box" --cgroup "/docker/$id" --hostpid --privileged --add "$tools/setns_to" -- sleep 600
container.sh start runc box "$PWD/box"
start_agent -i 60s --events switches --data-ring 4K
kill -STOP "$agent"
pingpong --cpu 0 20000 >/dev/null &
flood=$!
container.sh exec runc box /bin/setns_to 1 net >/dev/null
for ((i = 0; i < changes; i++)); do
    unshare --uts true
done
kill -CONT "$agent"
wait_for 60 "the violation" grep -qF '"rule":"escape-to-host"' "$records"
wait $flood
stop_agent
expect_equal "violations" 1 "$(count_denied_crossings)"
expect_ledger_closed
ledger=$(final_ledger)
[ "$(jq .classes.switches.dropped <<<"$ledger")" -gt 1000 ] || fail "nothing was overrun: $ledger"
expect_equal "dropped security events" 0 "$(jq .classes.security.dropped <<<"$ledger")"
expect_equal "dropped lifecycle events" 0 "$(jq .classes.lifecycle.dropped <<<"$ledger")"
[ "$(jq .classes.security.handled <<<"$ledger")" -gt $changes ] || fail "security events are missing: $ledger"
container.sh stop runc box

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two escapes in a storm of 100,000 setns calls and of stress-ng's unshares: one while the agent runs, one while it stands
# still and the ring is full. Each is one violation, and the ledger says what was dropped, and that a re-check closed the gap.
# The second one sleeps from then on: nothing but a walk over all tasks finds it. The first container makes the flood.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
calls=100000

start_box() { # NAME LETTER
    container.sh create-bundle "$PWD/$1" --cgroup "/docker/$(id_of "$2")" --hostpid --privileged --add "$tools/setns_to" -- sleep 600
    container.sh start runc "$1" "$PWD/$1"
}

id_of() { printf "$1%.0s" {1..64}; } # LETTER

# In the container, until told to end; with pauses, as all else has to share the processor. Counts its calls in flood.json.
flood() {
    container.sh exec runc one sh -c "while [ ! -e /end ]; do setns_to --times 20000 $1 uts || exit; sleep 1; done" \
        </dev/null >flood.json 2>flood.log
}
calls_made() { jq -s 'map(.setns) | add // 0' flood.json; }
has_stormed() { [ "$(calls_made)" -ge $calls ]; }

# Of the security class; bpf/abi/counters.h.
dropped() { bpftool -j map lookup name counters key 4 0 0 0 | jq '[.formatted.values[].value] | add'; }
ring_is_full() { [ "$(dropped)" -gt "$1" ]; }

# Goes on for long, and asleep: the command sleeps in the host's network namespace.
escape() { # BOX
    container.sh exec runc "$1" /bin/setns_to 1 net -- sleep 500 >"$1.escape" 2>"$1.log" </dev/null &
    wait_for 60 "the escape from $1" sleeps "$1"
}
sleeps() { is_asleep "$(jq .pid "$1.escape")"; } # BOX
is_asleep() { [ "$(cat "/proc/$1/comm")" = sleep ] && grep -q '^State:.S' "/proc/$1/status"; } # PID

escapes_of() { # LETTER
    records_of violation | grep -F '"rule":"escape-to-host"' | grep -F "\"id\":\"$(id_of "$1")\"" || true
}
escaped() { [ -n "$(escapes_of "$1")" ]; }

summary_of() { # LETTER
    escapes_of "$1" | jq -r '[.crossing.direction, .crossing.namespaces[].type, .crossing.mechanism, .policy.severity] | join(" ")'
}

start_box one a
start_box two b
# The flood's two sides are both the container's own: no violation, and a record each time.
container.sh exec runc one sh -c 'echo $$ && exec unshare -u sleep 500' </dev/null >side 2>side.log &
wait_for 30 "the other side of the flood" eval 'is_asleep "$(cat side)"'
side=$(cat side)

start_agent -i 5s
flood "$side" &
flood=$!
stress-ng --unshare 1 --unshare-ops 3 --timeout 60 >stress.log 2>&1 &
stress=$!
wait_for 60 "the flood to begin" test -s flood.json
escape one
kill -STOP "$agent"
wait_for 60 "a full ring" ring_is_full "$(dropped)"
escape two
wait_for 60 "the flood" has_stormed
touch one/rootfs/end
wait $flood || fail "the flood ended early: $(cat flood.log)"
wait $stress || fail "stress-ng: $(cat stress.log)"
kill -CONT "$agent"
wait_for 60 "the escape from one" escaped a
wait_for 60 "the escape from two" escaped b
stop_agent

expect_ledger_closed
expect_equal "violations of one" "escape net setns critical" "$(summary_of a)"
expect_equal "violations of two" "escape net setns critical" "$(summary_of b)"
expect_equal "who found the second" recheck "$(escapes_of b | jq -r .crossing.seen_at)"
expect_equal "violations" 2 "$(count_denied_crossings)"
# A way out and back while the ring is full is one record that was dropped, and a crossing that is gone.
final_ledger | jq -e --argjson calls "$(calls_made)" '.namespace_checks >= $calls and .classes.security.dropped > 0
    and .causes.crossings_gone > 0 and .recheck.count > 0 and .recheck.found > 0 and .recheck.open_ns > 0
    and .recheck.complete' >/dev/null || fail "the ledger does not tell of the storm: $(final_ledger)"
for box in one two; do
    container.sh stop runc $box
done

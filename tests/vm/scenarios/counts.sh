#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# As many crossings as strace sees calls that change namespaces, for each of setns, unshare and clone and each type: of
# util-linux's tools in many forms, of bubblewrap and ip, and of stress-ng's stressors.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

traced() { # COMMAND...
    echo "$*"
    strace -ff -qq -e signal=none -e trace=setns,unshare,clone,clone3 -o "trace/$((++forms))" -- "$@" >out 2>&1 ||
        fail "$*: $(tail -n 3 out)"
}

# A process with namespaces of its own, all but the user's, which comes to be before the agent and is entered.
hold_namespaces() {
    unshare --mount --uts --ipc --net --pid --cgroup --time --fork --kill-child sleep 1000 &
    holder=$!
    wait_for 10 "the holder's process" pgrep -P $holder
    held=$(pgrep -P $holder)
    wait_for 10 "the holder's program" grep -q sleep "/proc/$held/comm"
}

use_unshare() {
    local option
    for option in --mount --uts --ipc --net --cgroup --user; do
        traced unshare $option true
    done
    for option in --pid --time; do
        traced unshare $option --fork true
    done
    traced unshare --map-root-user --mount --pid --fork --mount-proc true
    traced unshare --mount --uts --ipc --net --pid --cgroup --time --user --map-current-user --fork --kill-child true
    traced unshare --uts unshare --uts unshare --ipc true
    traced unshare --mount --propagation slave sh -c 'unshare --net true & unshare --uts true; wait'
}

use_nsenter() {
    local option
    for option in --mount --uts --ipc --net --cgroup --pid --time; do
        traced nsenter --target "$held" $option true
    done
    traced nsenter --target "$held" --all true
    traced nsenter --target "$held" --uts --ipc --no-fork nsenter --target "$held" --net true
    nsenter --target $$ --uts --net true # its own: nothing changes, and no trace is there to be equal to
    traced nsenter --target "$held" --uts unshare --uts true
}

use_others() {
    traced ip netns add counted
    traced ip netns exec counted true
    traced ip -n counted link
    traced bwrap --bind / / --unshare-all true
    traced bwrap --bind / / --dev /dev --proc /proc --unshare-user --unshare-net true
    traced bwrap --bind / / --unshare-uts --unshare-ipc true
    traced bwrap --bind / / --unshare-pid --unshare-cgroup true
}

use_stress() {
    traced stress-ng --unshare 1 --unshare-ops 3 --timeout 60
    traced stress-ng --clone 1 --clone-ops 100 --clone-max 10 --timeout 60
}

# `setns uts 3`: so many calls named that type, and `setns calls 9`: so many named any. A call that succeeded changed what it
# named; of one whose caller was killed in it, as stress-ng kills its children, strace cannot tell (it prints `= ?`).
calls() { # RESULT, a pattern of what follows the arguments
    cat trace/* | { grep -E "$1" || true; } | sed -nE 's/^(setns|unshare|clone)3?\((.*)$/\1 \2/p' | awk '
        BEGIN { split("NS mnt UTS uts IPC ipc NET net PID pid CGROUP cgroup TIME time USER user", words)
                for (i = 1; i < 17; i += 2) { types[words[i]] = words[i + 1] } }
        { call = $1; rest = $0; made = 0
          while (match(rest, /CLONE_NEW[A-Z]+/)) {
              print call, types[substr(rest, RSTART + 9, RLENGTH - 9)]
              rest = substr(rest, RSTART + RLENGTH)
              made = 1
          }
          if (made) { print call, "calls" } }' | sort | uniq -c | awk '{ print $2, $3, $1 }'
}

# The same of the agent's records.
crossings() {
    records_of crossing | grep -vF '"mechanism":"cgroup_attach"' | jq -r \
        '.mechanism as $m | "\($m) calls", (.namespaces[] | "\($m) \(.type)")' | sort | uniq -c | awk '{ print $2, $3, $1 }'
}

mkdir trace
forms=0
holder=''
trap '[ -z "$holder" ] || kill "$holder" 2>/dev/null; clean_up' EXIT
hold_namespaces
start_agent -i 60s --events crossings
use_unshare
use_nsenter
use_others
use_stress
stop_agent
kill "$holder"
holder=''
ip netns del counted
calls '= [0-9]+$|= 0 \(' >made
calls '= [?]$|<unfinished' >killed
crossings >seen
awk '{ row = $1 "." $2; rows[row]; count[FILENAME, row] = $3 }
     END { for (row in rows) { print row, count["made", row] + 0, count["killed", row] + 0, count["seen", row] + 0 } }' \
    made killed seen | sort >rows
awk 'BEGIN { format = "%-16s %8s %8s %8s\n"; printf format, "", "strace", "killed", "isoscope" }
     { printf format, $1, $2, $3, $4 }' rows | tee table
for mechanism in setns unshare clone; do
    [ "$(awk -v m=$mechanism '$1 == m && $2 == "calls" { print $3 }' made)" -ge 4 ] || fail "hardly any $mechanism was made"
done
awk '$4 < $2 || $4 > $2 + $3' rows >differing
[ ! -s differing ] || fail "strace's calls and the crossings differ: $(paste -sd';' differing)"
[ "$(awk '$1 ~ /calls/ { made += $2; killed += $3 } END { print (killed * 10 <= made) }' rows)" = 1 ] ||
    fail "too many callers were killed in their calls for the comparison to say anything"
expect_ledger_closed

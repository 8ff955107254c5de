#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# However the agent ends, no program of it stays, and it can start again.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

for signal in TERM INT KILL; do
    start_agent
    [ "$(attached_programs)" -ge 10 ] || fail "only $(attached_programs) programs are attached"
    if [ $signal = KILL ]; then
        kill -KILL "$agent"
        wait "$agent" || true
        agent=''
    else
        stop_agent $signal
        [ -n "$(final_ledger)" ] || fail "no final ledger after SIG$signal"
    fi
    wait_for 10 "the programs to go after SIG$signal" bash -c "[ \$(bpftool -j prog show | jq '[.[] | select(.name // \"\" | startswith(\"handle_\"))] | length') -eq 0 ]"
done

# SIGHUP opens the file anew; a reader that goes away ends the agent quietly.
start_agent -i 1s
wait_for 10 "the first window" test -s "$records"
mv "$records" moved
kill -HUP "$agent"
wait_for 10 "the new file" test -s "$records"
stop_agent
status=0
timeout 40 bash -o pipefail -c '"$1" run -q -f ndjson -i 200ms | head -n 1' bash "$isoscope" >line || status=$?
expect_equal "exit status with a closed pipe" 0 $status
jq -e .schema line >/dev/null || fail "no record before the pipe was closed"

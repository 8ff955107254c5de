#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What an agent's outputs live through: a disk that fills up, a reader that stops, a clock that is set, a sudden end. It
# traces on, and says what it lost. Half-written are the line that a full disk took half of, which is ended once there is
# room, and the last of an agent that is killed: nothing else.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

windows_in() { grep -cF '"type":"ledger"' "$1" || true; }
# Two more windows than there were have come to a file.
more_windows_in() { [ "$(windows_in "$1")" -ge $(($2 + 2)) ]; }
lost_so_far() { records_of ledger | jq -s '[.[].write_errors] | add'; }
lost_more_than() { [ "$(lost_so_far)" -gt "$1" ]; }
torn_lines() { jq -nR '[inputs | select((try (fromjson | .schema) catch "none") != "isoscope.v1")] | length' "$1"; }

status=0
"$isoscope" run -q -d 1s -f ndjson -o missing/records.ndjson 2>refused || status=$?
expect_equal "exit status where the folder is missing" 1 $status
grep -qF missing/records.ndjson refused || fail "does not say which file: $(cat refused)"

# Two outputs: a file that is there throughout, and one that gets into trouble.
mkdir small
mount -t tmpfs -o size=256k tmpfs small
mkfifo pipe
exec 7<>pipe # held open, and never read
start_agent -i 500ms -o small/records.ndjson -o pipe
wait_for 20 "a window in the small file" more_windows_in small/records.ndjson 0

# The disk is full: lines are lost and counted, and the other file has all windows.
dd if=/dev/zero of=small/ballast bs=1k 2>/dev/null || true
lost=$(lost_so_far)
wait_for 60 "lines that the full disk takes no more" lost_more_than "$lost"
before=$(windows_in "$records")
wait_for 20 "windows in the other file" more_windows_in "$records" "$before"
agent_says small/records.ndjson || fail "says nothing of the file that it cannot write"
rm small/ballast
before=$(windows_in small/records.ndjson)
wait_for 20 "windows once there is room again" more_windows_in small/records.ndjson "$before"
[ "$(torn_lines small/records.ndjson)" -le 1 ] || fail "$(torn_lines small/records.ndjson) lines are no records"

# Nobody reads the pipe, so that it is full after some windows: the same.
lost=$(lost_so_far)
wait_for 60 "lines that nobody reads" lost_more_than "$lost"
before=$(windows_in "$records")
wait_for 20 "windows beside a pipe that nobody reads" more_windows_in "$records" "$before"
exec 7<&-

# A step of the clock moves `time` and nothing else: windows follow one another as before.
date -s '+3 hours' >/dev/null
before=$(windows_in "$records")
wait_for 20 "windows after the clock was set" more_windows_in "$records" "$before"
date -s '-6 hours' >/dev/null
before=$(windows_in "$records")
wait_for 20 "windows after the clock was set back" more_windows_in "$records" "$before"
date -s '+3 hours' >/dev/null # as it was
records_of ledger | jq -es '
    [.[].window | {start: (.start_mono_ns | tonumber), end: (.end_mono_ns | tonumber)}]
    | (. == sort_by(.start)) and all(.end - .start < 60e9)' >/dev/null || fail "windows are not as before the clock was set"
records_of ledger | jq -r '.time[0:13]' | uniq >hours
[ "$(wc -l <hours)" -ge 3 ] || fail "the hours of the records do not show both steps: $(paste -sd' ' hours)"

kill -KILL "$agent"
wait "$agent" || true
agent=''
sed '$d' "$records" >but_the_last
expect_equal "lines that are no records" 0 "$(torn_lines but_the_last)"
umount small

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Where perf_event_open is refused, as in a container with a filter of system calls, waits are timed by a hook on every
# wake-up: that is said, and no wait is without a begin.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

# A filter of four instructions: EPERM for the one system call. Becomes the command.
without_perf_event_open() { # COMMAND...
    # shellcheck disable=SC2016 # perl's
    exec perl -e '
        my $filter = pack "(SCCL)*", 0x20, 0, 0, 0, 0x15, 0, 1, 298, 0x06, 0, 0, 0x00050001, 0x06, 0, 0, 0x7fff0000;
        syscall(157, 22, 2, pack("S x6 P", 4, $filter)) == 0 or die "prctl: $!\n";
        exec @ARGV or die "$ARGV[0]: $!\n"' -- "$@"
}

launch_agent without_perf_event_open "$isoscope" run -v -f ndjson -o "$records" -i 2s
agent_says 'timed by a hook on every wake-up' || fail "nothing was said of it: $(cat "$messages")"
agent_says 'no event cpu-clock on CPU 0: Operation not permitted' || fail "not the reason: $(cat "$messages")"
perl -e 'select undef, undef, undef, 0.002 for 1 .. 500'
stop_agent
expect_equal "waits without a begin" 0 "$(final_ledger | jq .causes.waits_unpaired)"
records_of sched | jq -es 'map(.wakeups) | add >= 500' >/dev/null || fail "hardly a wake-up was seen"

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For scenarios: runqlat of libbpf-tools beside the agent, and the waits for a CPU that both saw. To be sourced after lib.sh.

start_runqlat() {
    stdbuf -oL runqlat -P >runqlat.out 2>&1 &
    runqlat=$!
    wait_for 60 "runqlat to attach" grep -q Tracing runqlat.out
    sleep 1
}
stop_runqlat() {
    kill -INT "$runqlat"
    wait "$runqlat" || true
}

# Lines `BUCKET COUNT` of the tasks named; bucket n is of waits from 2^n us on, and bucket 0 of all below 2 us.
ours() { # PID...
    records_of switch | awk -v load=" $* " '
        match($0, /"next":{"pid":[0-9]+/) && index(load, " " substr($0, RSTART + 14, RLENGTH - 14) " ") {
            if (!match($0, /"waited_ns":[0-9]+/)) next
            us = int(substr($0, RSTART + 12, RLENGTH - 12) / 1000)
            for (bucket = 0; us > 1; us = int(us / 2)) bucket++
            counts[bucket]++
        }
        END { for (bucket in counts) print bucket, counts[bucket] }' | sort -n
}
theirs() { # PID...
    awk -v load=" $* " '
        $1 == "pid" { pid = $3; sub(/,.*/, "", pid); wanted = index(load, " " pid " ") }
        wanted && $2 == "->" { us = $1; for (bucket = 0; us > 1; us = int(us / 2)) bucket++; counts[bucket] += $5 }
        END { for (bucket in counts) print bucket, counts[bucket] }' runqlat.out | sort -n
}
total() { awk '{ sum += $2 } END { print sum + 0 }'; }
only() { awk -v bucket="$1" '$1 == bucket { found = $2 } END { print found + 0 }'; } # BUCKET

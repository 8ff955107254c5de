#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Prometheus scrapes the agent for five minutes while containers and VMs come and go: no scrape fails, the page is as promtool
# wants it, series go with their units, no alert fires, and quantiles are those of the agent's own records.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

readonly address=127.0.0.1:9745 seconds=300

# What an expression is now, as a number; `none` without a series.
ask() { promtool query instant -o json http://127.0.0.1:9090 "$1" | jq -r '.[0].value[1] // "none"'; }
answers() { [ "$(ask "$1")" != none ]; }
come_and_go() {
    container.sh start runc box "$PWD/box"
    container.sh exec runc box /bin/true
    small_guest 200 >/dev/null
    container.sh stop runc box
}
series() { ask 'scrape_samples_scraped{job="isoscope"}'; }
none_has() { [ "$(ask "count($1) or vector(0)")" = 0 ]; }
# The series of the box and the guest go with the first window in which nothing of them ran.
host_is_alone() { none_has 'isoscope_on_cpu_seconds_total{kind!="host"}' && none_has isoscope_vm_exits_total; }

ip link set lo up
container.sh create-bundle "$PWD/box" -- sleep 600
cat >prometheus.yml <<YAML
global: {scrape_interval: 2s, evaluation_interval: 5s}
rule_files: [$root/packaging/prometheus/*.yml]
scrape_configs:
  - {job_name: isoscope, static_configs: [{targets: ["$address"]}]}
YAML
start_agent -i 2s --listen $address
prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address=127.0.0.1:9090 2>prometheus.log &
prometheus=$!
trap 'kill $prometheus; clean_up' EXIT
wait_for 60 "a first scrape" answers 'up{job="isoscope"} == 1'

# Once before counting: kinds of crossings stay as long as the agent runs.
come_and_go
wait_for 120 "the series of the first box and guest to go" host_is_alone
before=$(series)
end=$((SECONDS + seconds)) rounds=0
while [ $SECONDS -lt $end ]; do
    come_and_go
    rounds=$((rounds + 1))
done
[ "$rounds" -ge 10 ] || fail "only $rounds containers and VMs came and went"
busybox wget -q -O page http://$address/metrics
wait_for 120 "the series of the last box and guest to go" host_is_alone
expect_equal "the number of series" "$before" "$(series)"
expect_equal "what promtool says of the page" '' "$(promtool check metrics <page 2>&1)"
expect_equal "scrapes that failed" 0 "$(ask "count_over_time((up{job=\"isoscope\"} == 0)[${seconds}s:2s]) or vector(0)")"
expect_equal "critical alerts" none "$(ask 'ALERTS{severity="critical", alertstate="firing"}')"
for path in healthz readyz; do
    busybox wget -q -O $path http://$address/$path || fail "/$path does not say 200"
done

# From the start, so that both have the same waits but for the last seconds.
of_prometheus=$(ask 'histogram_quantile(0.99, isoscope_run_queue_wait_seconds_bucket{kind="host"})')
stop_agent
records_of sched | jq -es --argjson theirs "$of_prometheus" '
    [.[] | select(.unit.kind == "host") | .run_queue.hist | select(.counts)
        | . as $h | range(.counts | length) | {bound: ($h.offset + . + 1), scale: $h.scale, count: $h.counts[.]}]
    | (map(.count) | add) as $all
    | group_by(.bound) | map({bound: (.[0].bound / pow(2; .[0].scale)), count: (map(.count) | add)})
    | reduce .[] as $b ({sum: 0, at: null};
        .sum += $b.count | if .at == null and .sum >= 0.99 * $all then .at = $b.bound else . end)
    | (.at - ($theirs | log2)) as $apart
    # A bucket of the page is two powers of two wide.
    | if $apart > -2 and $apart < 2 then true else error("p99 \(pow(2; .at)) s in records, \($theirs) s in Prometheus") end' >/dev/null
expect_ledger_closed

# SPDX-License-Identifier: Apache-2.0
# What Google Benchmark wrote, to figures: medians over the repetitions, by time on the CPU. A benchmark that failed has no
# median; its repetitions stand there instead, each with the same error.
{"decode_and_aggregate_exits/vcpus:64": 1e7} as $at_least
| .context as $context
| ([.benchmarks[] | select(.error_occurred)] | unique_by(.run_name)
   | map({name: .run_name, error: .error_message})) as $failed
| [.benchmarks[] | select(.aggregate_name == "median")
   | {name: .run_name, repetitions, events_per_second: (.items_per_second | round),
      ns_per_event: (1e10 / .items_per_second | round / 10)}
   | $at_least[.name] as $bound
   | if $bound == null then . else .at_least = $bound end
   | if .events_per_second < ($bound // 0)
     then .error = "\(.events_per_second / 1e6) M events/s, and at least \($bound / 1e6) are wanted" else . end] as $measured
| ($failed + $measured) as $rows
| {section: "userspace", cpus: $context.num_cpus, mhz: $context.mhz_per_cpu,
   failed: $rows | map(select(.error)) | length, rows: $rows}

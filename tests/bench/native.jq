# SPDX-License-Identifier: Apache-2.0
# Rows of `switches.sh native` to figures: in each round each tool, between two rows of nothing. Of all runs with it, and of
# all with nothing beside it, the one at 5 % from the fastest counts, since what disturbs a run adds to it; their difference
# is what the tool added in this round. The figure is the median over the rounds, low and high the order statistics between
# which it lies with at least 95 % (binomial, by its normal approximation).
def middle: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
def rank: [((length - 1.96 * (length | sqrt)) / 2 | floor) - 1, 0] | max;
def figures: sort | rank as $rank | {added: middle, low: .[$rank], high: .[length - 1 - $rank]};
def tenths: . * 10 | round / 10;
# 0 is added since -0.004 rounds to -0.
def hundredths: . * 100 | round / 100 + 0;
def near_fastest: map(.thread_ns / .events) | sort | .[length / 20 | floor];

0.4 as $at_most
| . as $all
| (map(select(.name == "nothing" and .error)) | if length > 0 then error("nothing: \(.[0].error)") else . end)
| [range($all | length) as $i | $all[$i] | select(.name != "nothing")
   | if .error then {name, error}
     else {name, added: ((.runs | near_fastest) - ($all[$i - 1].runs + $all[$i + 1].runs | near_fastest))} end]
| group_by(.name)
| map({name: .[0].name, pairs: map(.added)}
      + ([.[] | .error // empty] as $errors
         | if $errors != [] then {error: "\($errors[0]) (in \($errors | length) of \(length) rounds)"}
           else map(.added) | figures | map_values(tenths) end))
| . as $rows
| (map({key: .name, value: select(.error == null).pairs}) | from_entries) as $added
| ($added["isoscope run"] as $ours | $added["libbpf-tools runqlat"] as $theirs
   | if $ours and $theirs
     then [$ours, $theirs] | transpose | map(.[0] / .[1]) | figures | map_values(hundredths)
          | {value: .added, low, high, at_most: $at_most}
     else null end) as $ratio
| map(del(.pairs)
      | if .name == "isoscope run" and $ratio and $ratio.low > $at_most
        then .error = "it adds \($ratio.value) of what runqlat adds, and at most \($at_most) is a must" else . end)
| {section: "switches_native", release: $release, cpu: $cpu, cpus: $cpus,
   rounds: ($rows | map(.pairs | length) | max),
   ns_per_event: ([$all[] | select(.name == "nothing") | .runs | near_fastest] | middle | tenths),
   failed: map(select(.error)) | length, of_runqlat: $ratio, rows: .}

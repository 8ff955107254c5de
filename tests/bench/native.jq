# SPDX-License-Identifier: Apache-2.0
# Rows of `switches.sh native` to figures. Of all runs with a tool, in all rounds, the one at 10 % from the fastest counts, and
# of all those with nothing attached: what disturbs a run adds to it, and a processor whose sibling is busy, or that a
# hypervisor slows down, is slow for seconds, which one round may not get out of. The difference is what the tool adds. Low and
# high leave out 2.5 % each of what comes out when the rounds are drawn anew, as many and with replacement (bootstrap); the
# draws are the same each time. That near to the fastest some rounds decide: the interval says how they scatter, and no more.
def near_fastest: sort | .[length / 10 | floor];
def tenths: . * 10 | round / 10;
# 0 is added since -0.004 rounds to -0.
def hundredths: . * 100 | round / 100 + 0;
def draws: 400;
# A linear congruence, of which the upper bits count.
def drawn($count): def next: (. * 1103515245 + 12345) % 2147483648; limit($count; next | recurse(next)) / 2147483648 * $count | floor;
def interval: sort | {low: .[length * 0.025 | floor], high: .[length * 0.975 | ceil - 1]};

0.4 as $at_most
| . as $all
| (map(select(.name == "nothing" and .error)) | if length > 0 then error("nothing: \(.[0].error)") else $all end)
# Each round has a row of nothing before the first tool and after every tool.
| (map(.name) | unique | length) as $rows_each
| [range(0; length; 2 * $rows_each - 1) as $at | $all[$at:$at + 2 * $rows_each - 1]] as $rounds
| ($rounds | map(group_by(.name) | map({key: .[0].name, value: (map(.runs // [] | map(.thread_ns / .events)) | add)})
                 | from_entries)) as $times
| (map(select(.error)) | group_by(.name) | map({key: .[0].name, value: "\(.[0].error) (in \(length) of \($rounds | length) rounds)"})
   | from_entries) as $errors
| (map(.name) | unique - ["nothing"]) as $names
| ($names - ($errors | keys)) as $tools
| def added($picked):
    (reduce ($tools + ["nothing"])[] as $name ({}; .[$name] = ([$picked[] | $times[.][$name]] | add | near_fastest)))
    | . as $of | reduce $tools[] as $name ({}; .[$name] = $of[$name] - $of.nothing);
  ([range($rounds | length)] | added(.)) as $figures
| [range(1; draws + 1) | [. * 7919 | drawn($rounds | length)] | added(.)] as $drawn
| def ratio: ."isoscope run" / ."libbpf-tools runqlat";
  (if all("isoscope run", "libbpf-tools runqlat"; IN($tools[]))
   then {value: ($figures | ratio)} + ($drawn | map(ratio) | interval) | map_values(hundredths) + {at_most: $at_most}
   else null end) as $of_runqlat
| ($names | map(. as $name
   | {name: $name}
     + if $errors[$name] then {error: $errors[$name]}
       else ({added: $figures[$name]} + ($drawn | map(.[$name]) | interval) | map_values(tenths)) end
     | if $name == "isoscope run" and $of_runqlat and $of_runqlat.low > $at_most
       then .error = "it adds \($of_runqlat.value) of what runqlat adds, and at most \($at_most) is a must" else . end)) as $rows
| {section: "switches_native", release: $release, cpu: $cpu, cpus: $cpus, rounds: ($rounds | length),
   ns_per_event: ([$times[].nothing] | add | near_fastest | tenths),
   failed: ($rows | map(select(.error)) | length), of_runqlat: $of_runqlat, rows: $rows}

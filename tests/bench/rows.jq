# SPDX-License-Identifier: Apache-2.0
# Rows of lib.sh to figures: what a tool added to each event, as medians over its runs. The first row is that of nothing
# attached. `added_in_thread` is what the thread that made the events ran more, `added_by_tool` what the tool's processes
# ran until they were done with the events, and `added` both; `spread` is how far apart `added` was in the runs. The figures
# of a row with `error` are void.
def median: sort | .[length / 2 | floor];
def tenths: . * 10 | round / 10;
def costs(f): [.runs[] | (f) / .events];
def cost(f): costs(f) | median;

(.[0] | if .error then error("nothing: \(.error)") else {thread: cost(.thread_ns), tool: cost(.tool_ns)} end) as $none
| map(if .error then del(.runs)
      else . + {added: (cost(.thread_ns + .tool_ns) - $none.thread - $none.tool | tenths),
                added_in_thread: (cost(.thread_ns) - $none.thread | tenths),
                added_by_tool: (cost(.tool_ns) - $none.tool | tenths),
                spread: (costs(.thread_ns + .tool_ns) | max - min | tenths)}
      end)
# Nothing costs the same within 0.05 %, in all of its runs and at the end again. Otherwise the machine was not alone, or a
# tool stayed attached, and the other rows are not to be trusted.
| map(if (.name | startswith("nothing")) and .error == null and ([(.added | fabs), .spread] | max) > $none.thread / 500
      then .error = "with nothing attached an event costs \(.added) more than at first, \(.spread) from run to run"
      else . end)
| {section: $section, kernel: $kernel, release: $release, instructions_per_event: ($none.thread | tenths),
   events_per_run: .[0].runs[0].events, failed: map(select(.error)) | length, rows: .}

# SPDX-License-Identifier: Apache-2.0
# One section's figures as a table for people.
include "text";

def header: left(54) + ("added" | right(9)) + ("in its thread" | right(15)) + ("by the tool" | right(13)) + ("spread" | right(8));

def title: {exits: "VM exit", switches: "context switch"}[.section];

"",
"Instructions added per \(title), Linux \(.release),",
"medians of \(.rows[0].runs | length) runs of \(.events_per_run | commas)",
("" | header),
(.instructions_per_event as $each
 | .rows | (.[0] | .name = "nothing (it costs \($each | commas))"), (.[1:] | sort_by(.added)[])
 | (.name | left(54))
   + (if .error then "   ERROR: \(.error)"
      else (.added | commas | right(9)) + (.added_in_thread | commas | right(15)) + (.added_by_tool | commas | right(13))
           + (.spread | commas | right(8)) end))

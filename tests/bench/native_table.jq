# SPDX-License-Identifier: Apache-2.0
# The figures of native.jq as a table for people.
include "text";

"",
"Nanoseconds added per context switch, Linux \(.release), on \(.cpus) processors \(.cpu),",
"by runs near the fastest of those in \(.rounds) rounds, and the 95 % interval of each figure",
("" | left(54)) + ("added" | right(9)) + ("interval" | right(18)),
("nothing (it costs \(.ns_per_event | commas))" | left(54)) + ("0" | right(9)),
(.rows | sort_by(.added)[] | (.name | left(54))
 + if .added == null then "   ERROR: \(.error)"
   else (.added | commas | right(9)) + ("\(.low | commas) to \(.high | commas)" | right(18))
        + if .error then "   ERROR: \(.error)" else "" end end),
(.of_runqlat | values
 | "isoscope run adds \(.value) of what runqlat adds (\(.low) to \(.high)); at most \(.at_most) is a must")

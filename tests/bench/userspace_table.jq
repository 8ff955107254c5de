# SPDX-License-Identifier: Apache-2.0
# The figures of userspace.jq as a table for people.
include "text";

"",
"Userspace, one core, medians of \([.rows[].repetitions // empty] | max) runs",
("" | left(48)) + ("M events/s" | right(12)) + ("ns each" | right(12)),
(.rows[] | (.name | left(48)) + if .error then "   ERROR: \(.error)"
 else (.events_per_second / 1e4 | round / 100 | right(12)) + (.ns_per_event | right(12))
 + if .at_least then "   (at least \(.at_least / 1e6) is a must)" else "" end end)

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Policies of a folder decide, SIGHUP takes new ones and keeps the old ones where the new are wrong, repeats are folded,
# --fail-on ends the run with 3, and what was recorded can be tested against the policies.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
mkdir policies.d

# One rule for what a program of this scenario does, and one that lets the others be.
write_policy() { # SEVERITY
    cat >policies.d/10-names.yaml <<YAML
name: names
severity: $1
rules:
  - {name: other-people, on: {direction: host, process.uid: 4242}, effect: allow}
  - {name: new-name, on: {event: crossing, namespace: uts, exe: "*/$program"}, effect: deny, message: "{process.comm} has a new name"}
expect: [{rule: new-name, count: 5}]
YAML
}

# One executable before and after its exec: it is read when the change is seen, which may be either.
change_name() { "./$program" unshare -u "./$program" sleep 0.2; }
severities() { records_of violation | jq -r '[.policy.severity, .suppressed] | join(" ")' | paste -sd,; }
violations_are() { [ "$(severities)" = "$1" ]; }

readonly program=busybox-names
cp "$(command -v busybox)" "$program"

write_policy wrong
status=0
"$isoscope" run -d 1s --policy policies.d -o /dev/null 2>refused || status=$?
expect_equal "exit status with a bad policy" 6 $status
grep -qF 'policies.d/10-names.yaml:2:11: severity: "wrong" is not one of low, medium, high, critical' refused ||
    fail "the place of the mistake is missing: $(cat refused)"

write_policy low
start_agent -i 60s --events crossings --policy policies.d --fail-on high
agent_says '1 policy with 2 rules from 1 file' || fail "the agent does not say what it read"
change_name
wait_for 10 "a violation" violations_are "low 0"
change_name
change_name

write_policy wrong
kill -HUP "$agent"
wait_for 10 "the refusal" agent_says 'the policies that were in force stay'
write_policy high
kill -HUP "$agent"
wait_for 10 "the new policies" agent_says 'policies reloaded'
change_name
change_name
kill -INT "$agent"
status=0
wait "$agent" || status=$?
agent=''
expect_equal "exit status with --fail-on high" 3 $status
# The first, and the last of those that were counted meanwhile, with the number of the others.
violations_are "low 0,high 3" || fail "violations: $(severities)"
expect_equal "violations in the report" "5 3 1 4" \
    "$(records_of violations | jq -r '[.total, .suppressed, .by_severity.low, .by_severity.high] | join(" ")')"
expect_equal "its message" "$program has a new name" "$(records_of violation | jq -r .message | sort -u)"
expect_ledger_closed

"$isoscope" policy test policies.d "$records" || fail "the recorded run is not what the policy expects"
sed -i 's/count: 5/count: 4/' policies.d/10-names.yaml
status=0
"$isoscope" policy test policies.d "$records" 2>surprise || status=$?
expect_equal "exit status of a test that fails" 3 $status
grep -qF 'names/new-name fired 5 times, and expect says 4 times' surprise || fail "$(cat surprise)"

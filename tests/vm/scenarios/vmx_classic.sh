#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# On Intel, without the modules' BTF: the classic tracepoint gives the same names and counts.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../vmx.sh
. "$(dirname "$0")/../vmx.sh"

(hide_modules "$isoscope" check) >check.txt
grep -q 'degraded *VM exits *classic tracepoint' check.txt || fail "check does not tell of the fallback: $(cat check.txt)"
start_trace
start_hidden_agent -i 1s
run_guests handle_kvm_exit_classic
stop_agent
expect_exits

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What cannot work says so in words, with the right exit code, before anything is attached. Comes last: the lockdown
# at its end holds until the machine is off.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

expect_refusal() { # STATUS WORDS COMMAND...
    local status=0 wanted=$1 words=$2
    shift 2
    "$@" >out 2>err || status=$?
    expect_equal "exit status of $*" "$wanted" $status
    grep -qF -- "$words" err || fail "$* does not say '$words' but: $(cat err)"
    expect_equal "programs attached by $*" 0 "$(attached_programs)"
}

expect_refusal 2 "did you mean --duration" "$isoscope" run --durration 3s
expect_refusal 2 "ndjson" "$isoscope" run -f jason
expect_refusal 1 "/nowhere/at/all" "$isoscope" run -o /nowhere/at/all
mkdir -p read_only
mount -t tmpfs -o ro tmpfs read_only
expect_refusal 1 "Read-only file system" "$isoscope" run -o "$PWD/read_only/records"
umount read_only
expect_refusal 6 "no.yaml" "$isoscope" run -c /no.yaml

expect_refusal 4 "CAP_BPF" setpriv --reuid 65534 --regid 65534 --clear-groups "$isoscope" run
expect_refusal 4 "CAP_PERFMON" setpriv --bounding-set -perfmon --inh-caps -perfmon "$isoscope" run
expect_refusal 5 "bpf system call is switched off" no_bpf "$isoscope" run
expect_refusal 5 "bpf system call is switched off" no_bpf "$isoscope" check
mkdir -p empty
expect_refusal 5 "has no BTF" unshare --mount bash -c 'mount --bind empty /sys/kernel/btf && exec "$1" run' bash "$isoscope"

mountpoint -q /sys/kernel/security || mount -t securityfs securityfs /sys/kernel/security
echo integrity >/sys/kernel/security/lockdown
start_agent
stop_agent
echo confidentiality >/sys/kernel/security/lockdown
expect_refusal 5 "locked down for confidentiality" "$isoscope" run
expect_refusal 5 "locked down for confidentiality" "$isoscope" check

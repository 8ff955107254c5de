#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs scenarios inside the lab, one after the other: a line per scenario, `ok NAME` or `not ok NAME`.
# Exit status 1 if one failed.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
readonly limit_s=600 # against hanging; an emulated machine on a busy host takes its time: `silent` 280 s of it, alone

if [ $# -eq 0 ]; then
    echo "usage: run.sh SCENARIO...   (names of files in tests/vm/scenarios, without .sh)" >&2
    exit 2
fi
failed=0
for name in "$@"; do
    folder=/tmp/scenarios/$name
    mkdir -p "$folder"
    began=$SECONDS
    if (cd "$folder" && timeout -k 5 "$limit_s" bash "$here/scenarios/$name.sh" >log 2>&1 </dev/null); then
        echo "ok $name ($((SECONDS - began)) s)"
    else
        status=$?
        failed=1
        echo "not ok $name ($((SECONDS - began)) s, exit status $status)"
        tail -n 40 "$folder/log" | sed 's/^/    /'
    fi
    if [ -n "${LAB_OUT:-}" ]; then
        mkdir -p "$LAB_OUT/$name"
        find "$folder" -maxdepth 1 -type f -exec cp -t "$LAB_OUT/$name" {} +
    fi
done
exit $failed

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the release binary and leaves it at build/isoscope.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=release
case "${1:-}" in
'') ;;
release | debug | asan | fuzz) preset=$1 ;;
-h | --help)
    echo "usage: scripts/build.sh [release|debug|asan|fuzz]   (default: release)"
    exit 0
    ;;
*)
    echo "build.sh: unknown preset '$1'; there are release, debug, asan and fuzz" >&2
    exit 2
    ;;
esac

for tool in cmake ninja clang-19 bpftool; do
    if ! command -v "$tool" >/dev/null && ! [ -x "/usr/sbin/$tool" ]; then
        echo "build.sh: $tool is missing; run scripts/setup.sh first" >&2
        exit 1
    fi
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake --preset "$preset" && cmake --build --preset "$preset"; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "build.sh: the $preset build failed; what the tools said is above" >&2
    exit 1
fi
if [ "$preset" = release ]; then
    ln -f "build/release/userspace/agent/isoscope" build/isoscope
fi

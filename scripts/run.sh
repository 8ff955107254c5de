#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up, builds, and shows the main job on real input. Progress goes to standard error, data to standard output.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: scripts/run.sh [--lab|--host] [--kernel 6.1|6.12] [OPTIONS OF isoscope run...]

  --lab     (default) in a virtual machine: a Linux guest named "web" boots under KVM, two containers start, one of
            them enters the host's namespaces, and isoscope shows it all as it happens and sums it up
  --host    trace this machine, until Ctrl-C

Everything else goes to isoscope run: scripts/run.sh -f ndjson, scripts/run.sh --host -d 30s --events crossings.
TEXT
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
where=lab
kernel=6.12
options=()
while [ $# -gt 0 ]; do
    case "$1" in
    --lab) where=lab ;;
    --host) where=host ;;
    --kernel)
        kernel=${2:-}
        shift
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) options+=("$1") ;;
    esac
    shift
done
set -- "${options[@]}"

say() { echo "run.sh: $*" >&2; }

say "installing what is missing"
scripts/setup.sh
say "building"
scripts/build.sh

if [ "$where" = host ]; then
    exec build/isoscope run "$@"
fi
formatted=no
for argument in "$@"; do
    case "$argument" in -f | --format | -f?* | --format=*) formatted=yes ;; esac
done
[ $formatted = yes ] || set -- -f table "$@"
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] && set -- --color always "$@"
say "starting the lab (Linux $kernel)"
# One processor: Linux guests hang now and then in a lab of more (a fault of QEMU's SVM emulation).
exec scripts/lab.sh --kernel "$kernel" --cpus 1 --timeout 170 -- tests/vm/demo.sh "$@"

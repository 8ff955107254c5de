#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Boots a real Linux guest under KVM. For the inside of the lab, which prepares the guest's kernel and initramfs.
set -euo pipefail

name=web uuid=3f2a6c1e-5d0b-4f7e-9a41-0c8b7d1e2f30 rest=0 seconds=5 vcpus=1 memory=256

usage() {
    cat <<'TEXT'
usage: linux_guest.sh [--name NAME] [--uuid UUID] [--rest R] [--seconds S] [--vcpus N] [--memory MB]

Boots a Linux guest under KVM, which sleeps for R seconds (0), works for S seconds (5) and powers off; its serial line comes out on stdout.
Runs inside a lab of one processor (scripts/lab.sh --cpus 1), or anywhere with LAB_GUEST_KERNEL and LAB_GUEST_INITRD
set.
TEXT
}

die() {
    echo "linux_guest.sh: $*" >&2
    exit "${status:-1}"
}

while (($# > 0)); do
    case $1 in
    -h | --help) usage && exit 0 ;;
    --name | --uuid | --rest | --seconds | --vcpus | --memory)
        (($# > 1)) || status=2 die "$1 wants a value"
        declare "${1#--}=$2"
        shift
        ;;
    *) status=2 die "unknown option $1 (see --help)" ;;
    esac
    shift
done

[[ -w /dev/kvm ]] || die "/dev/kvm is missing or closed to us: load kvm_amd or kvm_intel first"
[[ -r ${LAB_GUEST_KERNEL:-} && -r ${LAB_GUEST_INITRD:-} ]] ||
    die "LAB_GUEST_KERNEL and LAB_GUEST_INITRD must name readable files: scripts/lab.sh sets them"

# QEMU's emulation of VMRUN leaves the vector of an injected interrupt behind, and delivers it once more, interrupts off
# or not, if its round robin of processors takes the turn away before the next exit: on a lab with two processors every
# second Linux guest hangs in a spin lock that it holds itself (QEMU 7.2). With one processor there is no round robin.
if [[ -n ${LAB_KERNEL:-} ]] && (($(nproc --all) > 1)); then
    die "a Linux guest hangs now and then in a lab of more than one processor: start lab.sh with --cpus 1"
fi

# exec: whoever started this script knows the machine's pid, and a signal reaches it.
exec qemu-system-x86_64 -accel kvm -cpu host -m "$memory" -smp "$vcpus" \
    -name "guest=$name,debug-threads=on" -uuid "$uuid" \
    -nodefaults -no-user-config -display none -no-reboot -serial stdio \
    -kernel "$LAB_GUEST_KERNEL" -initrd "$LAB_GUEST_INITRD" \
    -append "console=ttyS0 quiet panic=-1 guest.rest=$rest guest.seconds=$seconds" </dev/null

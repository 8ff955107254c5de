#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes vmlinux/x86_64/vmlinux.h anew: the types of Debian's 6.12 kernel and of its kvm modules.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kernel=$(scripts/lab/kernel.sh 6.12)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

btf_of() {
    objcopy -O binary --only-section=.BTF --set-section-flags .BTF=alloc "$1" "$2" 2>/dev/null
    [ -s "$2" ] || { echo "vmlinux.sh: $1 has no .BTF section" >&2; exit 1; }
}

# .BTF is loaded with the kernel: with its flags changed, objcopy would fill the gap up to the sections beside it.
objcopy -O binary --only-section=.BTF "$kernel/vmlinux" "$work/vmlinux.btf"
for module in kvm-amd kvm-intel kvm; do
    packed=$(find "$kernel/lib/modules" -name "$module.ko*" | head -n 1)
    case "$packed" in
    *.xz) xz -dc "$packed" >"$work/$module.ko" ;;
    *.ko) cp "$packed" "$work/$module.ko" ;;
    *) echo "vmlinux.sh: no module $module in $kernel" >&2; exit 1 ;;
    esac
    btf_of "$work/$module.ko" "$work/$module.btf"
    bpftool -B "$work/vmlinux.btf" btf dump file "$work/$module.btf" format c >"$work/$module.h"
done
python3 vmlinux/merge_headers.py "$work/kvm-amd.h" "$work/kvm-intel.h" "$work/kvm.h" >"$work/vmlinux.h"
mv "$work/vmlinux.h" vmlinux/x86_64/vmlinux.h
echo "vmlinux.sh: vmlinux/x86_64/vmlinux.h is that of Linux $(cat "$kernel/release"); name it in vmlinux/README.md" >&2

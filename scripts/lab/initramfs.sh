#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds, or finds in the cache, the initramfs of the lab, of the Linux guest that runs inside it, or of the Intel lab.
# Prints its path.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
readonly here

# Modules in two groups: what the lab needs to find its root file system, and what --no-kvm leaves out.
readonly boot_modules=(virtio_pci virtio_console 9pnet_virtio 9p overlay)
readonly kvm_modules=(kvm_amd) intel_modules=(kvm_intel)

usage() {
    cat <<'TEXT'
usage: initramfs.sh lab|guest|intel KERNEL_DIR

KERNEL_DIR is a folder that kernel.sh printed. `lab` makes the initramfs that mounts the host's tree and runs a command,
`guest` the one of the small Linux guest, `intel` the one that runs a command on files which intel_lab.sh adds to it.
The result is kept in KERNEL_DIR, and made anew when anything in it changes.
TEXT
}

die() {
    echo "initramfs.sh: $*" >&2
    exit 1
}

find_busybox() {
    local busybox
    busybox=$(command -v busybox) || die "busybox is missing: install busybox-static (scripts/setup.sh does)"
    if LC_ALL=C ldd "$busybox" >/dev/null 2>&1; then
        die "$busybox is not a static program: install busybox-static in place of busybox"
    fi
    echo "$busybox"
}

# Everything that decides the content, this script included.
cache_key() {
    local init=$1 busybox=$2
    cat "$init" "$busybox" "${BASH_SOURCE[0]}" | sha256sum | cut -c1-16
}

# add_modules KERNEL_DIR ROOT LIST MODULE...: copies modules with what they depend on, and writes the load order.
add_modules() {
    local dir=$1 root=$2 list=$3 release path name
    shift 3
    release=$(<"$dir/release")
    : >"$root/modules/$list"
    while read -r path; do
        name=$(basename "$path")
        name=${name%.xz}
        # Stored unpacked: decompressing inside an emulated machine costs more than reading.
        case $path in
        *.xz) xz -dc "$path" >"$root/modules/$name" ;;
        *) cp "$path" "$root/modules/$name" ;;
        esac
        grep -qsx "$name" "$root/modules/"* || echo "$name" >>"$root/modules/$list"
    done < <(modprobe -d "$dir" -S "$release" --show-depends -a "$@" | awk '$1 == "insmod" && !seen[$2]++ { print $2 }')
}

build() {
    local kind=$1 dir=$2 init=$3 busybox=$4 target=$5 root
    root=$(mktemp -d "$dir/initramfs.XXXXXX")
    # shellcheck disable=SC2064 # the name is known now and the variable is local
    trap "rm -rf '$root' '$root.cpio'" EXIT
    mkdir -p "$root"/{bin,dev,proc,sys,host,overlay,root,modules}
    cp "$busybox" "$root/bin/busybox"
    cp "$init" "$root/init"
    chmod 755 "$root/init" "$root/bin/busybox"
    ln -s busybox "$root/bin/sh"
    if [[ $kind == lab ]]; then
        add_modules "$dir" "$root" boot.list "${boot_modules[@]}"
        add_modules "$dir" "$root" kvm.list "${kvm_modules[@]}"
        [[ -s $root/modules/kvm.list ]] || die "the kernel in $dir has no ${kvm_modules[*]}"
    elif [[ $kind == intel ]]; then
        add_modules "$dir" "$root" kvm.list "${intel_modules[@]}"
        [[ -s $root/modules/kvm.list ]] || die "the kernel in $dir has no ${intel_modules[*]}"
    fi
    (cd "$root" && find . -print0 | LC_ALL=C sort -z | cpio --null -o -H newc --owner=0:0 --quiet >"$root.cpio") ||
        die "could not write $root.cpio: is the disk full?"
    rm -f "$dir/$kind-"*.cpio
    mv "$root.cpio" "$target"
}

main() {
    local kind=${1:-} dir=${2:-} init busybox target
    [[ $kind != -h && $kind != --help ]] || { usage && exit 0; }
    case $kind in
    lab) init=$here/init ;;
    guest) init=$here/guest_init ;;
    intel) init=$here/intel_init ;;
    *) die "what to build must be lab, guest or intel (see --help)" ;;
    esac
    [[ -r $dir/release ]] || die "no unpacked kernel in '$dir': kernel.sh makes one"
    busybox=$(find_busybox)
    target=$dir/$kind-$(cache_key "$init" "$busybox").cpio
    if [[ ! -r $target ]]; then
        exec 9>"$dir/.initramfs.lock"
        flock 9
        [[ -r $target ]] || build "$kind" "$dir" "$init" "$busybox" "$target"
    fi
    echo "$target"
}

main "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Fetches a Debian kernel and unpacks it below build/lab/, without installing it.
# Prints the folder: it holds `vmlinuz`, `release` and, for kernels that run the lab itself, `vmlinux` (the same kernel
# decompressed) and `lib/modules/RELEASE`.
set -euo pipefail

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly tree cache=$tree/build/lab

# Bumped when what is unpacked changes, so that an older cache is not taken for a complete one. The cloud kernel has its
# own number: a change to what is kept of it need not fetch the others anew.
readonly plain_layout=2 cloud_layout=3

# Half of a kernel package is drivers of hardware that no virtual machine has; leaving them out halves the
# time and the disk of the first run.
readonly unwanted=(drivers/gpu drivers/media drivers/net/wireless drivers/net/ethernet drivers/infiniband
    drivers/staging drivers/iio drivers/isdn drivers/hwmon sound)
# The cloud kernel is a guest with everything built in that it needs, or boots from a disk that holds kvm alone.
readonly unwanted_of_cloud=(arch/x86/crypto block crypto drivers fs lib mm net security)

usage() {
    cat <<'TEXT'
usage: kernel.sh [--refresh] 6.1|6.12 [cloud|rt]

Fetches the newest Debian kernel of that series (flavour: the plain one, `cloud` or `rt`), unpacks it below build/lab/
and prints the folder. A kernel that is there already is used as it is; --refresh asks apt for a newer one.
TEXT
}

die() {
    echo "kernel.sh: $*" >&2
    exit 1
}

say() { echo "kernel.sh: $*" >&2; }

# 6.1 is bookworm's own series and its meta package has no number in the name.
meta_package() {
    local series=$1 flavour=$2 number=''
    [[ $series == 6.1 ]] || number=-$series
    echo "linux-image$number${flavour:+-$flavour}-amd64"
}

# Prints nothing when apt does not know the package.
real_package() {
    local depends
    depends=$(LC_ALL=C apt-cache depends "$1" 2>/dev/null) || return 0
    awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }' <<<"$depends"
}

update_lists() {
    say "refreshing apt's package lists"
    apt-get update -qq >&2 || die "apt-get update failed: check the network and /etc/apt, then try again"
}

# Package versions leave the archive as newer ones come: stale lists name a file that is gone, and one update cures it.
download() {
    local meta=$1 dir=$2 package
    package=$(real_package "$meta")
    if [[ -z $package ]]; then
        update_lists
        package=$(real_package "$meta")
        [[ -n $package ]] || die "apt knows no package $meta: is this Debian 12 with the bookworm-security suite?"
    fi
    say "fetching $package"
    if ! (cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$package" >&2); then
        update_lists
        package=$(real_package "$meta")
        (cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$package" >&2) ||
            die "apt could not download $package: see the error above"
    fi
}

number_at() { od -An -v -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '; }

# The kernel as plain ELF, which QEMU enters through the PVH note: an emulated processor needs 1-3 s of each start to
# decompress a bzImage, this one does it once. Offsets: "The Linux/x86 Boot Protocol" (setup_sects, payload_offset,
# payload_length). A kernel packed in another way stays as it is.
decompress() {
    local image=$1 elf=$2 setup_sectors offset length tool
    setup_sectors=$(number_at "$image" $((0x1f1)) 1)
    offset=$(($(number_at "$image" $((0x248)) 4) + (setup_sectors + 1) * 512))
    length=$(number_at "$image" $((0x24c)) 4)
    case $(od -An -v -tx1 -j "$offset" -N 4 "$image" | tr -d ' ') in
    fd377a58) tool=(xz -dc) ;;
    28b52ffd) tool=(zstd -dcq) ;;
    *) return 0 ;;
    esac
    # The last four bytes are the size, appended by the kernel's build.
    head -c "$((offset + length - 4))" "$image" | tail -c "$((length - 4))" | "${tool[@]}" >"$elf" ||
        die "could not decompress $image with ${tool[0]}"
}

# unpack DEB DIR FLAVOUR
unpack() {
    local deb=$1 dir=$2 flavour=$3 release module excludes=()
    for module in "${unwanted[@]}"; do
        excludes+=("--exclude=./lib/modules/*/kernel/$module" "--exclude=./usr/lib/modules/*/kernel/$module")
    done
    if [[ $flavour == cloud ]]; then
        for module in "${unwanted_of_cloud[@]}"; do
            excludes+=("--exclude=./lib/modules/*/kernel/$module" "--exclude=./usr/lib/modules/*/kernel/$module")
        done
    fi
    excludes+=('--exclude=./usr/share' '--exclude=./boot/System.map*')
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" --no-same-owner "${excludes[@]}" ||
        die "could not unpack $(basename "$deb") into $dir: is the disk full?"
    if [[ -d $dir/usr/lib/modules ]]; then
        mv "$dir/usr/lib" "$dir/lib"
    fi
    rm -rf "${dir:?}/usr"
    release=$(cd "$dir/boot" && echo vmlinuz-*)
    release=${release#vmlinuz-}
    mv "$dir/boot/vmlinuz-$release" "$dir/vmlinuz"
    rm -rf "${dir:?}/boot"
    [[ $flavour == cloud ]] || decompress "$dir/vmlinuz" "$dir/vmlinux"
    # depmod runs in the package's postinst, which never runs here.
    if [[ -d $dir/lib/modules/$release ]]; then
        depmod -b "$dir" "$release" || die "depmod failed on $dir (package kmod)"
    fi
    echo "$release" >"$dir/release"
}

fetch() {
    local series=$1 flavour=$2 marker=$3 layout=$4 scratch release deb
    scratch=$(mktemp -d "$cache/unpack.XXXXXX")
    # shellcheck disable=SC2064 # the name is known now and the variable is local
    trap "rm -rf '$scratch'" EXIT
    mkdir "$scratch/deb" "$scratch/root"
    chmod 755 "$scratch/root"
    download "$(meta_package "$series" "$flavour")" "$scratch/deb"
    deb=$(echo "$scratch"/deb/*.deb)
    say "unpacking $(basename "$deb")"
    unpack "$deb" "$scratch/root" "$flavour"
    release=$(<"$scratch/root/release")
    rm -rf "${cache:?}/$release"
    mv "$scratch/root" "$cache/$release"
    # The marker comes last and by rename: its presence means that the folder is whole.
    echo "$layout $release" >"$marker.new"
    mv "$marker.new" "$marker"
}

main() {
    local refresh='' series flavour marker layout=$plain_layout have='' release=''
    while [[ ${1:-} == -* ]]; do
        case $1 in
        -h | --help) usage && exit 0 ;;
        --refresh) refresh=1 ;;
        *) die "unknown option $1 (see --help)" ;;
        esac
        shift
    done
    series=${1:-} flavour=${2:-}
    [[ $series == 6.1 || $series == 6.12 ]] || die "no such kernel series: '$series' (there are 6.1 and 6.12)"
    [[ -z $flavour || $flavour == cloud || $flavour == rt ]] || die "no such flavour: '$flavour' (cloud or rt)"
    marker=$cache/current-$series${flavour:+-$flavour}
    [[ $flavour != cloud ]] || layout=$cloud_layout

    if [[ -z $refresh && -r $marker ]] && read -r have release <"$marker" && [[ $have == "$layout" &&
        -r $cache/$release/vmlinuz ]]; then
        echo "$cache/$release"
        return
    fi
    mkdir -p "$cache"
    # Labs start side by side: the first one fetches, the others wait and find it done.
    exec 9>"$marker.lock"
    flock 9
    if [[ -n $refresh || ! -r $marker ]] || ! read -r have release <"$marker" || [[ $have != "$layout" ||
        ! -r $cache/$release/vmlinuz ]]; then
        fetch "$series" "$flavour" "$marker" "$layout"
    fi
    read -r have release <"$marker"
    echo "$cache/$release"
}

main "$@"

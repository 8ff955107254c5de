#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs what a fresh Debian 12 needs to build isoscope and to run all of its tests. Quick when nothing is missing.
set -euo pipefail

readonly build=(g++ cmake ninja-build pkg-config git ca-certificates clang-19 llvm-19 bpftool libbpf-dev libelf-dev
    zlib1g-dev libspdlog-dev libfmt-dev libboost-program-options-dev rapidjson-dev libyaml-cpp-dev
    libmicrohttpd-dev libzstd-dev libsystemd-dev libcap-ng-dev scdoc)

readonly tests=(libgtest-dev libgmock-dev libbenchmark-dev clang-format clang-tidy shellcheck jq python3 libc6-dev
    # What operators get: schemas, manifests, OTLP, and rsyslog, which a test runs for itself. Where systemd runs, its service is started.
    python3-jsonschema python3-yaml python3-protobuf protobuf-compiler rsyslog
    clang-14 libclang-rt-14-dev
    # For promtool, which reads what we expose as a scraper does. Where systemd runs, its server is started; no test needs it.
    prometheus
    # For the packages, and for what is in them.
    debhelper lintian mandoc man-db rpm rpmlint zsh fish systemd)

# The lab: an emulated machine, kernels unpacked from their packages, containers, and the tools to compare figures with.
readonly lab=(qemu-system-x86 seabios busybox-static cpio xz-utils zstd kmod util-linux procps runc crun
    linux-perf strace gdb bpftrace libbpf-tools mmdebstrap bubblewrap iproute2 stress-ng
    # For the scenarios of what has to stay silent, silent and silent_system.
    podman uidmap slirp4netns containernetworking-plugins containerd systemd systemd-container dbus lsof man-db)

# Only scripts/bench.sh: a tool that it measures beside us. The others are there for the tests already.
readonly bench=(trace-cmd)
# The Intel lab: an emulated processor with VMX. bochs-term in place of a display that pulls in a desktop.
readonly intel=(bochs bochs-term bochsbios vgabios grub-common grub-pc-bin xorriso binutils)

usage() {
    cat <<'TEXT'
usage: setup.sh [--bench] [--intel] [--list]

Installs, as root and without questions, the Debian packages that building and testing need; does nothing when all of
them are there. --bench adds those that scripts/bench.sh needs, --intel those of the Intel lab. --list only prints their
names.
TEXT
}

die() {
    echo "setup.sh: $*" >&2
    exit 1
}

missing_packages() {
    local installed package
    # dpkg-query fails when it does not know a package at all, which is one way of missing.
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
    for package in "$@"; do
        grep -qx "installed $package" <<<"$installed" || echo "$package"
    done
}

install_packages() {
    local apt=(apt-get -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 -qq)
    export DEBIAN_FRONTEND=noninteractive
    echo "setup.sh: installing $# packages: $*" >&2
    "${apt[@]}" update >&2 ||
        die "apt-get update failed: check the network and the sources in /etc/apt, then start this again"
    "${apt[@]}" install -y --no-install-recommends "$@" >&2 ||
        die "apt could not install the packages above: its own message says which one and why. On Debian 12 they are" \
            "all in main: look for held packages and for foreign sources"
}

main() {
    local wanted=("${build[@]}" "${tests[@]}" "${lab[@]}") list='' missing
    while (($# > 0)); do
        case $1 in
        -h | --help) usage && exit 0 ;;
        --bench) wanted+=("${bench[@]}") ;;
        --intel) wanted+=("${intel[@]}") ;;
        --list) list=yes ;;
        *) die "unknown argument '$1' (see --help)" ;;
        esac
        shift
    done
    [[ -z $list ]] || { printf '%s\n' "${wanted[@]}" && exit 0; }
    [[ -x /usr/bin/dpkg-query && -x /usr/bin/apt-get ]] ||
        die "this machine has no dpkg and apt: it must be Debian 12; elsewhere install the equals of setup.sh --list"
    mapfile -t missing < <(missing_packages "${wanted[@]}")
    ((${#missing[@]} > 0)) || exit 0
    ((EUID == 0)) || die "not root, and these packages are missing: ${missing[*]}; start it as root (sudo $0)"
    install_packages "${missing[@]}"
    mapfile -t missing < <(missing_packages "${missing[@]}")
    ((${#missing[@]} == 0)) || die "apt reported success, yet these are still missing: ${missing[*]}"
    echo "setup.sh: done" >&2
}

main "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes packages of the release build: build/packages/isoscope_VERSION_amd64.deb and isoscope-VERSION-1.x86_64.rpm. Built
# twice from one commit they are the same, byte by byte.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly build=$PWD/build/release out=$PWD/build/packages most_glibc=GLIBC_2.36 # that of Debian 12
readonly program=$build/userspace/agent/isoscope

usage() {
    cat <<'TEXT'
usage: scripts/package.sh

Builds what is not built yet of build/release, and packs it for dpkg and for rpm; the packages are left in build/packages.
No arguments. Prints the highest version of glibc that the program needs, and fails if that is not in Debian 12.
TEXT
}

die() {
    echo "package.sh: $*" >&2
    exit 1
}

# Runs a command; what it says is shown where it fails.
quietly() { # LOG COMMAND...
    local log=$1
    shift
    "$@" >"$log" 2>&1 && return
    tail -n 40 "$log" >&2
    die "$1 failed; what it said last is above, the rest in $log"
}

check_glibc() {
    local needed
    needed=$(objdump -T "$program" | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -n 1)
    [ "$(printf '%s\n' "$needed" "$most_glibc" | sort -V | tail -n 1)" = "$most_glibc" ] ||
        die "the program needs $needed, and Debian 12 has $most_glibc"
    echo "package.sh: the program needs $needed" >&2
}

make_deb() { # FOLDER
    mkdir -p "$1/isoscope"
    cp -r packaging/deb "$1/isoscope/debian"
    cp packaging/systemd/isoscope.sysusers packaging/systemd/isoscope.tmpfiles "$1/isoscope/debian"
    # Symbols are in the build; a package of them takes longer than all the rest.
    export DEB_BUILD_OPTIONS=noautodbgsym ISOSCOPE_BUILD=$build
    (cd "$1/isoscope" && quietly "$out/deb.log" dpkg-buildpackage --build=binary --no-sign)
    mv "$1"/*.deb "$out"
}

make_rpm() { # FOLDER VERSION
    quietly "$out/rpm.log" rpmbuild -bb --define "_topdir $1" --define "_rpmdir $1" --define "isoscope_build $build" \
        --define "isoscope_source $PWD" --define "isoscope_version $2" --define '_buildhost isoscope' \
        --define 'use_source_date_epoch_as_buildtime 1' --define 'clamp_mtime_to_source_date_epoch 1' \
        packaging/rpm/isoscope.spec
    mv "$1"/x86_64/*.rpm "$out"
}

main() {
    local work version
    umask 022 # folders that the installation makes
    mkdir -p "$out"
    rm -f "$out"/isoscope[_-]*
    quietly "$out/build.log" cmake --preset release
    quietly "$out/build.log" cmake --build --preset release --target isoscope man
    check_glibc
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || dpkg-parsechangelog -l packaging/deb/changelog -S Timestamp)
    export SOURCE_DATE_EPOCH
    version=$(sed -n 's/^project(isoscope VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
    [ "$(dpkg-parsechangelog -l packaging/deb/changelog -S Version)" = "$version" ] ||
        die "packaging/deb/changelog is not of version $version, that of CMakeLists.txt"
    # Not below the tree, whose name would get into the packages.
    work=$(mktemp -d)
    # shellcheck disable=SC2064 # as it is now
    trap "rm -rf '$work'" EXIT
    make_deb "$work/deb"
    make_rpm "$work/rpm" "$version"
    ls "$out"/isoscope_*.deb "$out"/isoscope-*.rpm
}

case "${1:-}" in
'') main ;;
-h | --help) usage ;;
*) die "takes no arguments (see --help)" ;;
esac

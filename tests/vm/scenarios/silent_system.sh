#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What systems and their packages do all day gives no violation under the built-in policy: systemd-nspawn, a boot of systemd
# with hardened services, mmdebstrap as a user, the sandboxes of apt and man, and looking around with ps, top and lsof.
#
# systemd boots in systemd-nspawn, as the lab's own first process is another. Left out, though Debian has them: sshd, whose
# package would open a port of the machine that tests; libvirt, whose guests take an emulated processor too long; sbuild, which
# does what mmdebstrap does.
# shellcheck source=../corpus.sh
. "$(dirname "$0")/../corpus.sh"

# In the cgroup that systemd-machined would have made.
nspawn() { # OPTION...
    local scope=/sys/fs/cgroup/machine.slice/machine-box.scope
    mkdir -p $scope
    # shellcheck disable=SC2016 # for that shell
    bash -c 'echo $$ >"$0/cgroup.procs" && exec systemd-nspawn --register=no --keep-unit --quiet --link-journal=no "$@"' \
        $scope "$@" </dev/null
    find $scope -depth -type d -exec rmdir {} \;
}

run_nspawn() {
    local i
    for i in 1 2; do
        nspawn --directory="$rootfs" --private-network /bin/true
    done
}

# The lab's own system once more, with a target that ends it when the hardened services have run.
prepare_boot() {
    local units=boot/root/etc/systemd/system i=0 settings
    mkdir -p boot/{upper,work,root}
    mount -t overlay -o "lowerdir=/,upperdir=$PWD/boot/upper,workdir=$PWD/boot/work" boot boot/root
    touch boot/root/etc/.updated boot/root/var/.updated
    echo 0123456789abcdef0123456789abcdef >boot/root/etc/machine-id
    for settings in 'PrivateTmp=yes ProtectSystem=strict ProtectHome=yes' 'PrivateNetwork=yes PrivateDevices=yes' \
        'DynamicUser=yes StateDirectory=corpus ProtectKernelTunables=yes ProtectControlGroups=yes' \
        'PrivateUsers=yes ProtectProc=invisible ProtectHostname=yes PrivateIPC=yes'; do
        i=$((i + 1))
        printf '%s\n' '[Service]' Type=oneshot RemainAfterExit=yes ExecStart=/bin/true >"$units/hardened$i.service"
        tr ' ' '\n' <<<"$settings" >>"$units/hardened$i.service"
    done
    cat >$units/corpus.service <<'TEXT'
[Unit]
Requires=dbus.service systemd-logind.service
Wants=hardened1.service hardened2.service hardened3.service hardened4.service
After=dbus.service systemd-logind.service hardened1.service hardened2.service hardened3.service hardened4.service
SuccessAction=exit
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'systemctl is-active hardened1 hardened2 hardened3 hardened4 systemd-logind >/hardened'
TEXT
    printf '%s\n' '[Unit]' 'Requires=basic.target corpus.service' >$units/corpus.target
}

run_boot() {
    nspawn --directory="$PWD/boot/root" --private-network --boot -- --unit=corpus.target
    expect_equal "services of the boot" '5 active' "$(sort boot/root/hardened | uniq -c | awk '{ print $1, $2 }' | paste -sd' ')"
}

# A package and a repository of it: there is no network.
prepare_packages() {
    mkdir -p tiny/{DEBIAN,bin,dev,proc,sys} repository
    cp "$(command -v busybox)" tiny/bin/corpus-busybox
    printf '%s\n' 'Package: corpus' 'Version: 1' 'Architecture: amd64' 'Maintainer: nobody <nobody@example.org>' \
        'Description: a static busybox' >tiny/DEBIAN/control
    dpkg-deb --build -Znone tiny repository/corpus.deb
    {
        cat tiny/DEBIAN/control
        echo "Filename: ./corpus.deb"
        echo "Size: $(stat -c %s repository/corpus.deb)"
        echo "SHA256: $(sha256sum repository/corpus.deb | cut -d' ' -f1)"
    } >repository/Packages
    echo "deb [trusted=yes] file:$PWD/repository ./" >sources.list
}

run_mmdebstrap() {
    # shellcheck disable=SC2016 # for mmdebstrap
    as_user mmdebstrap --mode=unshare --variant=extract --include=corpus --format=tar \
        --customize-hook='chroot "$1" /bin/corpus-busybox true' '' corpus.tar "deb [trusted=yes] copy:$PWD/repository ./"
}

run_apt() {
    local apt=(apt-get -qq -o "Dir::Etc::SourceList=$PWD/sources.list" -o Dir::Etc::SourceParts=/dev/null)
    "${apt[@]}" update
    (cd user && "${apt[@]}" download corpus && test -s corpus_1_amd64.deb)
    printf '%s\n' '.TH corpus 1' '.SH NAME' 'corpus \- a page of its own' >corpus.1
    man -P cat -E ascii "$PWD/corpus.1" | grep -F 'a page of its own'
}

# With a container to look at.
run_looks() {
    local i
    runc run --detach --bundle "$PWD/looks-box" looks-box </dev/null
    for i in 1 2 3; do
        ps axfo pid,args,netns,pidns,mntns
        top -b -n 1
        lsof -n -p "$(pgrep -fx '/bin/sleep 600')"
    done
    runc delete --force looks-box
}

make_rootfs
make_box looks
make_escape_box
make_user
prepare_boot
prepare_packages >/dev/null
start_agent -i 30s --events crossings
row nspawn 'systemd-nspawn COMMAND' 2 0 8 run_nspawn
row boot 'systemd-nspawn --boot: systemd with dbus, logind, 4 hardened services' 1 0 15 run_boot
row mmdebstrap 'mmdebstrap --mode=unshare of one package, as a user' 1 0 5 run_mmdebstrap
row apt 'apt-get update and download, man: sandboxes without namespaces' 0 0 0 run_apt
row looks 'ps, top and lsof on a container, three times' 1 0 2 run_looks
finish_table
expect_units mmdebstrap

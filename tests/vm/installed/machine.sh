# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # here: of lib.sh
# A system with systemd and a package to install, booted in systemd-nspawn, as the lab's own first process is another: the
# lab's files below an overlay, without their services. A boot runs one stage of deb.sh or rpm.sh, and ends with it.
# For scenarios that have sourced lib.sh.

readonly machine=$PWD/machine

# With a unit that runs the stage whose number is in /stage.
prepare_machine() { # PACKAGE STAGES
    local units=$machine/etc/systemd/system
    mkdir -p upper work "$machine"
    mount -t overlay -o "lowerdir=/,upperdir=$PWD/upper,workdir=$PWD/work" machine "$machine"
    find "$units" -name '*.wants' -exec rm -rf {} +
    # What forbids starts, and what takes long: manual pages, and telling PackageKit.
    rm -f "$machine/usr/sbin/policy-rc.d" "$machine/var/lib/man-db/auto-update" "$machine"/etc/apt/apt.conf.d/*packagekit*
    touch "$machine/etc/.updated" "$machine/var/.updated"
    echo 0123456789abcdef0123456789abcdef >"$machine/etc/machine-id"
    cp "$1" "$machine/isoscope.${1##*.}"
    cp "$here/installed/stage.sh" "$machine/stage.sh"
    cp "$here/installed/$2.sh" "$machine/stages.sh"
    # An emulated processor verifies programs for minutes; and nobody wants to wait half of the real watchdog.
    mkdir "$units/isoscope.service.d"
    printf '%s\n' '[Service]' TimeoutStartSec=8min WatchdogSec=20s >"$units/isoscope.service.d/lab.conf"
    printf '%s\n' '[Unit]' After=multi-user.target SuccessAction=exit-force FailureAction=exit-force \
        '[Service]' Type=oneshot 'ExecStart=/bin/bash /stage.sh' StandardOutput=truncate:/said StandardError=inherit \
        >"$units/stage.service"
    mkdir -p "$units/multi-user.target.wants"
    ln -s ../stage.service "$units/multi-user.target.wants/stage.service"
}

boot() { # STAGE
    local scope=/sys/fs/cgroup/machine.slice/machine-installed.scope
    mkdir -p $scope
    echo "$1" >"$machine/stage"
    # shellcheck disable=SC2016 # for that shell
    bash -c 'echo $$ >"$0/cgroup.procs" && exec systemd-nspawn --register=no --keep-unit --quiet --link-journal=no \
        --private-network --capability=all --system-call-filter="bpf perf_event_open" --boot --directory="$@"' \
        $scope "$machine" -- --unit=multi-user.target </dev/null >"console.$1" 2>&1 || true
    find $scope -depth -type d -exec rmdir {} \;
    cat "$machine/said"
    [ "$(tail -n 1 "$machine/said")" = "stage $1 done" ] || fail "stage $1 did not come to its end"
}

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # log: of stage.sh
# The stage of the scenario `installed_rpm`, for stage.sh.

stage_1() {
    local pid
    rpm --install --nodeps /isoscope.rpm || fail "rpm cannot install it"
    expect "the service after the installation" inactive "$(state)"
    systemctl enable --now isoscope || fail "it does not start"
    wait_for 60 "records" has_records
    expect "whose the records are" 'root isoscope 640' "$(stat -c '%U %G %a' "$log")"
    pid=$(property MainPID)

    # The same version, as an upgrade.
    rpm --upgrade --replacepkgs --nodeps /isoscope.rpm || fail "the upgrade failed"
    expect "the service after the upgrade" active "$(state)"
    [ "$(property MainPID)" != "$pid" ] || fail "the upgrade did not restart it"
    expect "restarts by systemd" 0 "$(property NRestarts)"
    systemctl stop isoscope
    rpm --upgrade --replacepkgs --nodeps /isoscope.rpm || fail "the second upgrade failed"
    expect "a stopped service after an upgrade" inactive "$(state)"
    expect "whether it is enabled after an upgrade" enabled "$(systemctl is-enabled isoscope)"

    systemctl start isoscope
    rpm --erase isoscope || fail "rpm cannot remove it"
    ! pgrep -x isoscope || fail "it still runs after the removal"
    [ ! -e /usr/bin/isoscope ] || fail "the removal leaves the program"
    [ ! -L /etc/systemd/system/multi-user.target.wants/isoscope.service ] || # which would dangle
        fail "the removal leaves it enabled"
    [ -s "$log" ] || fail "a removal takes the data"
}

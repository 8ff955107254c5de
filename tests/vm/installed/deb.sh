# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154 # log: of stage.sh
# The stages of the scenario `installed_deb`, for stage.sh.
export DEBIAN_FRONTEND=noninteractive

# The same of a higher version.
make_upgrade() {
    dpkg-deb --raw-extract /isoscope.deb /upgrade
    sed -i 's/^Version: .*/&+1/' /upgrade/DEBIAN/control
    dpkg-deb --build -Znone /upgrade /upgrade.deb >/dev/null
}

stage_1() {
    local fed pid
    apt-get -qq -o Dpkg::Use-Pty=0 install -y /isoscope.deb || fail "apt cannot install it"
    expect "the service after the installation" active "$(state)"
    expect "whether it is enabled" enabled "$(systemctl is-enabled isoscope)"
    pid=$(property MainPID)
    expect "capabilities of the service" 000000c000280024 "$(sed -n 's/^CapEff:\t//p' "/proc/$pid/status")"
    wait_for 60 "records" has_records
    expect "whose the folder is" 'root isoscope 2750' "$(stat -c '%U %G %a' "${log%/*}")"
    expect "whose the records are" 'root isoscope 640' "$(stat -c '%U %G %a' "$log")"
    setpriv --reuid=nobody --regid=nogroup --groups="$(getent group isoscope | cut -d: -f3)" head -n 1 "$log" >/dev/null ||
        fail "the group cannot read them"
    fed=$(property WatchdogTimestampMonotonic)
    wait_for 60 "the watchdog to be fed" was_fed_since "$fed"

    mv "$log" "$log.moved"
    printf '%s\n' 'name: extra' 'severity: low' 'rules:' '  - {name: one, on: {direction: nest}, effect: audit}' \
        >/etc/isoscope/policies.d/extra.yaml
    systemctl reload isoscope
    wait_for 60 "a new file" has_records
    wait_for 60 "the policies to be read" says 'policies reloaded'
    says '1 policy with 1 rule from 1 file' || fail "it did not find the policy"
    expect "the process after the reload" "$pid" "$(property MainPID)"

    make_upgrade
    dpkg --install /upgrade.deb || fail "the upgrade failed"
    expect "the service after the upgrade" active "$(state)"
    [ "$(property MainPID)" != "$pid" ] || fail "the upgrade did not restart it"
    expect "restarts by systemd" 0 "$(property NRestarts)"
    systemctl stop isoscope
    expect "how it ended" success "$(property Result)"
    jq -e 'select(.type == "ledger" and .final)' "$log" >/dev/null || fail "no summary at its end"
    dpkg --install /upgrade.deb || fail "the second upgrade failed"
    expect "a stopped service after an upgrade" inactive "$(state)"
}

stage_2() {
    expect "the service after the boot" active "$(state)"
    dpkg --remove isoscope
    expect "the service after the removal" inactive "$(state)"
    ! pgrep -x isoscope || fail "it still runs"
    [ -s "$log" ] || fail "a removal takes the data"
    [ -s /etc/isoscope/config.yaml ] || fail "a removal takes the configuration"
    # As new: the mark of the removal says that this is no upgrade.
    dpkg --install /isoscope.deb || fail "it does not install again"
    expect "the service after a new installation" active "$(state)"
    dpkg --purge isoscope
    expect "the service after the purge" inactive "$(state)"
    for path in /var/log/isoscope /var/lib/isoscope /etc/isoscope/config.yaml; do
        [ ! -e $path ] || fail "the purge leaves $path"
    done
}

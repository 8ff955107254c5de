#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Checks of the packages and of what goes into them. usage: check.sh NAME; the names are at the end. `build` comes first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly isoscope=$PWD/build/isoscope packages=$PWD/build/packages
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

same() { # WHAT EXPECTED ACTUAL: lists, one a line
    diff <(sort <<<"$2") <(sort <<<"$3") >"$scratch/difference" && return
    cat "$scratch/difference" >&2
    fail "$1: < is expected, > is there"
}

deb() { echo "$packages"/isoscope_*.deb; }
rpm_file() { echo "$packages"/isoscope-[0-9]*.rpm; }

build() {
    scripts/package.sh >"$scratch/said" 2>&1 || fail "$(cat "$scratch/said")"
    grep -q '^package.sh: the program needs GLIBC_2\.' "$scratch/said" || fail "the version of glibc is not told"
    [ -s "$(deb)" ] && [ -s "$(rpm_file)" ]
}

# Byte by byte what `build` made, though by another umask and at another time.
reproducible() {
    cp "$(deb)" "$(rpm_file)" "$scratch"
    (umask 0077 && scripts/package.sh >/dev/null)
    cmp "$(deb)" "$scratch/$(basename "$(deb)")"
    cmp "$(rpm_file)" "$scratch/$(basename "$(rpm_file)")"
}

lint_deb() { lintian --no-cfg --allow-root --fail-on error,warning "$(deb)"; }

lint_rpm() {
    rpmlint --config packaging/rpm/rpmlint.toml "$(rpm_file)" >"$scratch/said" 2>&1 || true
    cat "$scratch/said"
    grep -qE '(^| )0 errors, 0 warnings' "$scratch/said"
}

readonly contents='/etc/isoscope/config.yaml
/etc/isoscope/policies.d/README
/usr/bin/isoscope
/usr/share/bash-completion/completions/isoscope
/usr/share/fish/vendor_completions.d/isoscope.fish
/usr/share/isoscope/policies/default.yaml
/usr/share/man/man1/isoscope-check.1.gz
/usr/share/man/man1/isoscope-config.1.gz
/usr/share/man/man1/isoscope-matrix.1.gz
/usr/share/man/man1/isoscope-policy.1.gz
/usr/share/man/man1/isoscope-run.1.gz
/usr/share/man/man1/isoscope.1.gz
/usr/share/man/man5/isoscope-policy.5.gz
/usr/share/man/man5/isoscope-records.5.gz
/usr/share/man/man5/isoscope.yaml.5.gz
/usr/share/man/man8/isoscope.8.gz'
readonly contents_deb='/lib/systemd/system/isoscope.service
/usr/lib/sysusers.d/isoscope.conf
/usr/lib/tmpfiles.d/isoscope.conf
/usr/share/doc/isoscope/copyright
/usr/share/zsh/vendor-completions/_isoscope'
readonly contents_rpm='/usr/lib/systemd/system/isoscope.service
/usr/lib/sysusers.d/isoscope.conf
/usr/lib/tmpfiles.d/isoscope.conf
/usr/share/licenses/isoscope/LICENSE
/usr/share/licenses/isoscope/LICENSE.bpf
/usr/share/zsh/site-functions/_isoscope'
# Folders of data that a tree has or has not.
readonly data='^/usr/share/(isoscope/(schemas|prometheus|grafana)|doc/isoscope)/'

contents_of() { grep -vE "$data" <<<"$1"; }

contents() {
    local files folder
    files=$(dpkg-deb --fsys-tarfile "$(deb)" | tar --list | sed -n 's/^\.\(.*[^/]\)$/\1/p')
    same "files of the deb" "$(grep -v '/doc/' <<<"$contents"$'\n'"$contents_deb")" "$(contents_of "$files")"
    grep -qx /usr/share/doc/isoscope/copyright <<<"$files" || fail "the deb has no copyright"
    for folder in schemas prometheus grafana; do
        [ ! -d packaging/$folder ] || grep -q "^/usr/share/isoscope/$folder/" <<<"$files" || fail "the deb has no $folder"
    done
    same "conffiles" "$(grep ^/etc <<<"$contents")" "$(dpkg-deb --info "$(deb)" conffiles)"
    files=$(rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$(rpm_file)" | sed -n 's/^-[^ ]* //p')
    same "files of the rpm" "$contents"$'\n'"$contents_rpm" "$(contents_of "$files")"
    same "configuration of the rpm" "$(grep ^/etc <<<"$contents")" "$(rpm -qp --configfiles "$(rpm_file)")"
}

# No macro was left, and nothing but the shell is needed to read them.
scripts() {
    rpm -qp --scripts "$(rpm_file)" >"$scratch/rpm"
    ! grep -n '%' "$scratch/rpm" || fail "a macro in a scriptlet"
    grep -q 'systemctl try-restart isoscope.service' "$scratch/rpm" || fail "an upgrade by rpm does not restart"
    grep -q 'systemctl --no-reload disable --now isoscope.service' "$scratch/rpm" || fail "a removal by rpm does not stop"
    grep -v '^[a-z]* scriptlet' "$scratch/rpm" | sh -n
    mkdir "$scratch/deb"
    dpkg-deb --control "$(deb)" "$scratch/deb"
    for script in postinst prerm postrm; do
        sh -n "$scratch/deb/$script"
    done
    grep -q "deb-systemd-invoke try-restart 'isoscope.service'" "$scratch/deb/postinst" || fail "an upgrade by dpkg does not restart"
    grep -q "deb-systemd-invoke stop isoscope.service" "$scratch/deb/prerm" || fail "a removal by dpkg does not stop"
}

build_id() { readelf --notes "$1" | sed -n 's/^ *Build ID: //p'; }

# By rpm's own database, into a folder; what it needs besides is there wherever rpm is.
rpm_installs() {
    local root=$scratch/root status=0
    mkdir "$root"
    rpm --root "$root" --initdb
    rpm --root "$root" --install --nodeps --noscripts "$(rpm_file)" 2>"$scratch/said" || fail "$(cat "$scratch/said")"
    [ "$(rpm --root "$root" -q --qf '%{NAME}' isoscope)" = isoscope ] || fail "the database does not know it"
    rpm --root "$root" -V --nodeps --nouser --nogroup isoscope || fail "it is not what was packed"
    same "the program, by its build id" "$(build_id build/release/userspace/agent/isoscope)" "$(build_id "$root/usr/bin/isoscope")"
    "$root/usr/bin/isoscope" version | grep -q '^isoscope [0-9]' || fail "the program does not start"
    "$root/usr/bin/isoscope" check >"$scratch/said" 2>&1 || status=$?
    case $status in 0 | 4 | 5) grep -q '^Linux ' "$scratch/said" ;; *) fail "check ended with $status: $(cat "$scratch/said")" ;; esac
    "$root/usr/bin/isoscope" config validate "$root/etc/isoscope/config.yaml"
    same "what the rpm needs" "$(printf '%s\n' /bin/sh /usr/bin/getent /usr/sbin/groupadd \
        libc.so.6 libm.so.6 libmicrohttpd.so.12 libsystemd.so.0 libz.so.1 ld-linux-x86-64.so.2)" \
        "$(rpm -qp --requires "$(rpm_file)" | sed 's/(.*//; s/ .*//' | grep -v '^rpmlib\|^config\|^rtld' | sort -u)"
}

# Long options in what `isoscope help` says of a command.
helped() { "$isoscope" help "$@" | sed -nE 's/^ +(-[a-z], )?(--[a-z-]+).*/\2/p' | sort -u; }

in_bash() { # COMMAND...
    # shellcheck disable=SC2016 # for that shell
    bash -c '. packaging/completions/isoscope.bash && COMP_WORDS=(isoscope "$@" --) COMP_CWORD=$(($# + 1)) && _isoscope &&
        printf "%s\n" "${COMPREPLY[@]}"' bash "$@" | sort -u
}

in_zsh() { # COMMAND
    sed -n "/^_isoscope_$1_options=(/,/^)/p" packaging/completions/_isoscope | grep -oE -- '--[a-z-]+[]=}[]' | tr -d '[]=}' | sort -u
}

in_fish() { # COMMAND...
    fish -c "source packaging/completions/isoscope.fish; complete -C 'isoscope $* --'" | cut -f1 | sort -u
}

completions() {
    local command
    zsh -n packaging/completions/_isoscope
    for command in run check matrix version; do
        same "bash, options of $command" "$(helped $command)" "$(in_bash $command)"
        same "zsh, options of $command" "$(helped $command)" "$(in_zsh $command)"
        same "fish, options of $command" "$(helped $command)" "$(in_fish $command)"
    done
    same "bash, options of config show" "$(helped run)" "$(in_bash config show)"
    same "fish, options of config show" "$(helped run)" "$(in_fish config show)"
    same "bash, commands" "$("$isoscope" help | sed -nE '/^Usage/,/^Examples/s/^  ([a-z]+) .*/\1/p')" \
        "$(bash -c '. packaging/completions/isoscope.bash && COMP_WORDS=(isoscope "") COMP_CWORD=1 && _isoscope &&
            printf "%s\n" "${COMPREPLY[@]}"' | grep -v ^--)"
}

manual() {
    local page command
    for page in build/release/packaging/*.[158]; do
        mandoc -T lint -W warning "$page" || fail "mandoc on $page"
        MANROFFSEQ='' man -E UTF-8 --warnings -l "$page" 2>&1 >/dev/null | tee "$scratch/said"
        [ ! -s "$scratch/said" ] || fail "man on $page"
    done
    for command in run check matrix; do
        same "options in isoscope-$command(1)" "$(helped $command)" \
            "$(sed -nE 's/^(\*-[a-z]\*, )?\*(--[a-z-]+)\*.*/\2/p' packaging/man/isoscope-$command.1.scd)"
    done
    for page in $(helped run); do
        case $page in --output | --config | --help) continue ;; esac
        grep -qF "*${page#--}*" packaging/man/isoscope.yaml.5.scd || fail "isoscope.yaml(5) does not have ${page#--}"
    done
}

unit() {
    local file=packaging/systemd/isoscope.service
    sed "s|/usr/bin/isoscope|$isoscope|; s|^Documentation=.*||" $file >"$scratch/isoscope.service"
    systemd-analyze verify "$scratch/isoscope.service"
    systemd-analyze security --offline=true --threshold=50 --no-pager $file
    if grep '^ProtectKernelTunables' $file; then fail 'it would hide tracefs'; fi
    "$isoscope" config validate packaging/config/config.yaml
    "$isoscope" policy validate packaging/policies/default.yaml
}

case "${1:-}" in
build | reproducible | lint_deb | lint_rpm | contents | scripts | rpm_installs | completions | manual | unit) "$1" ;;
*) fail "usage: check.sh build|reproducible|lint_deb|lint_rpm|contents|scripts|rpm_installs|completions|manual|unit" ;;
esac

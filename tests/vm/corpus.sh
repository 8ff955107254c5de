# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For the scenarios of what has to stay silent: rows of things that are run, and a table of what the agent said of each. Last
# in every table an escape, so that a table without violations is not that of an agent that sees none. Sources lib.sh.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly rootfs=$PWD/rootfs user=4711
escaping_id=$(printf 'e%.0s' {1..64})
readonly escaping_id
row=''
# What the row that failed had said: its output is still the row's own then.
exec 7>&2
trap '[ -z "$row" ] || tail -n 40 "out.$row" >&7; clean_up' EXIT

# For all containers the same, with few names: the rest of busybox's take an emulated processor 10 s.
make_rootfs() {
    local name
    mkdir -p "$rootfs"/{bin,dev,etc,proc,run,sys,tmp,usr}
    cp "$(command -v busybox)" "$rootfs/bin/busybox"
    for name in sh true sleep; do
        ln -s busybox "$rootfs/bin/$name"
    done
    cp "$tools/setns_to" "$rootfs/bin"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$rootfs/etc/passwd"
    echo 'ID=corpus' >"$rootfs/etc/os-release"
    mkdir spec
    runc spec --bundle spec
}

make_box() { # NAME [FILTER]
    mkdir "$1-box"
    jq --arg name "$1" --arg rootfs "$rootfs" '.process.terminal = false | .process.args = ["/bin/sleep", "600"]
        | .root = {path: $rootfs, readonly: false} | .linux.cgroupsPath = "/isolab/\($name)-box"'" | ${2:-.}" \
        spec/config.json >"$1-box/config.json"
}

# A user with a home, ids to hand out, and a cgroup to divide, as systemd's session would have one.
user_cgroup=/sys/fs/cgroup/user.slice/user-$user.slice/user@$user.service
make_user() {
    mkdir -p user /run/user/$user $user_cgroup/session.scope
    printf '[storage]\ndriver = "vfs"\n' >user/storage.conf
    cp -r "$rootfs" user/rootfs
    chown -R $user:$user user /run/user/$user $user_cgroup
    # Another scenario of the same lab may have made it.
    ! grep -q '^corpus:' /etc/passwd || return 0
    echo "corpus:x:$user:$user::$PWD/user:/bin/sh" >>/etc/passwd
    echo 'corpus:500000:65536' | tee -a /etc/subuid >>/etc/subgid
}

as_user() { # COMMAND...
    (cd user && echo $BASHPID >$user_cgroup/session.scope/cgroup.procs &&
        exec setpriv --reuid=$user --regid=$user --clear-groups env HOME="$PWD" USER=corpus \
            XDG_RUNTIME_DIR=/run/user/$user CONTAINERS_STORAGE_CONF="$PWD/storage.conf" "$@")
}

now() { cut -d' ' -f1 /proc/uptime; }

# A row of the table: what it says of it, containers and sandboxes that the function starts and stops, programs that it
# executes in them later, and crossings of which there are at least so many.
row() { # NAME WHAT STARTS EXECS CROSSINGS FUNCTION
    row=$1
    echo "$(now)|$1|$2|$3|$4|$5" >>rows
    "$6" >"out.$1" 2>&1
    row=''
}

# Of all violations the one that any container comes to by a single system call of its own.
make_escape_box() {
    make_box escape '.linux.cgroupsPath = "/docker/'"$escaping_id"'" | .linux.namespaces |= map(select(.type != "pid"))
        | .process.args = ["/bin/setns_to", "1", "net"]
        | .process.capabilities[] |= . + ["CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]'
}
run_escape() { runc run --bundle "$PWD/escape-box" escape-box </dev/null; }

# Violations of all but that container: one that comes late, in the row of the escape, is no less false.
false_alarms() { records_of violation | grep -vF '"unit":{"kind":"container","id":"'"$escaping_id"'"' || true; }

# Each row has what happened from its begin to the next one's. Says what is wrong with them, and fails then.
print_table() {
    awk -F'|' -v all="$(false_alarms | wc -l)" '
        FNR == NR { begin[++n] = $1; name[n] = $2; what[n] = $3; starts[n] = $4; execs[n] = $5; least[n] = $6; next }
        match($0, /"type":"(crossing|violation)"/) {
            type = substr($0, RSTART + 8, RLENGTH - 9)
            match($0, /"mono_ns":"[0-9]+/)
            at = substr($0, RSTART + 11, RLENGTH - 11) / 1e9
            for (i = n; i > 1 && begin[i] > at; i--) { }
            seen[i, type]++
        }
        END {
            printf "%-11s %-69s %6s %5s %9s %10s %7s\n", "", "what ran", "starts", "execs", "crossings", "violations", "seconds"
            for (i = 1; i < n; i++) {
                printf "%-11s %-69s %6d %5d %9d %10d %7.1f\n", name[i], what[i], starts[i], execs[i], seen[i, "crossing"],
                    seen[i, "violation"], begin[i + 1] - begin[i]
                if (name[i] == "escape") { escapes = seen[i, "violation"] } else { sum += starts[i]; inside += execs[i] }
                if (seen[i, "crossing"] < least[i]) { unseen = unseen " " name[i] }
            }
            printf "%-81s %6d %5d %9s %10d\n", "all but the escape", sum, inside, "", all
            if (all > 0) { print "violations where there are none"; bad = 1 }
            if (!escapes) { print "the escape went unseen"; bad = 1 }
            if (unseen != "") { print "hardly any crossing was seen of:" unseen; bad = 1 }
            exit bad
        }' rows "$records"
}

# Starts or execs of all rows but the one named.
sum_of() { # starts|execs ROW
    awk -F'|' -v column="$1" -v not="$2" '$2 != not { sum += column == "starts" ? $4 : $5 } END { print sum }' rows
}

# Who is taken for the host can do no wrong: each container has to be known as one, but those of a row that have no cgroup.
expect_units() { # ROW
    local state
    for state in started stopped; do
        expect_equal "containers $state" "$(sum_of starts "$1")" "$(records_of unit | grep -F "\"state\":\"$state\"" |
            grep -cF '"unit":{"kind":"container"')"
    done
}

# Ends the agent and prints the table.
finish_table() {
    local status=0 class
    row escape 'what must not stay silent: setns(2) into the host from a container' 1 0 1 run_escape
    echo "$(now)|end" >>rows
    stop_agent
    print_table >table || status=$?
    cat table
    [ $status -eq 0 ] || fail "the table is not what it should be: $(false_alarms | head -n 5)"
    expect_ledger_closed
    for class in security lifecycle; do
        expect_equal "dropped $class events" 0 "$(final_ledger | jq ".classes.$class.dropped")"
    done
}

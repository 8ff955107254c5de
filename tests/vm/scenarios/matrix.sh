#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `isoscope matrix` says of containers is what the links in /proc/PID/ns and lsns say: two private ones, one that shares
# the network of the first, one in the host's network and processes, and a VM. Then a process of one enters the host, and one
# is moved out of its cgroup.
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

readonly types=(mnt uts ipc net pid cgroup time user)
declare -A pids

# Paths that name a container even where it is in the host's pid namespace.
start_box() { # NAME OPTION...
    container.sh create-bundle "$PWD/$1" --cgroup "/isolab/runc-$1.scope" "${@:2}" -- sleep 600
    container.sh start runc "$1" "$PWD/$1"
    pids[$1]=$(container.sh pid runc "$1")
}

matrix() { "$isoscope" matrix -f json >matrix.json 2>"$messages"; }

# The cell of a unit as /proc has it, with the pids of the others that have the same namespace.
expected_cell() { # NAME TYPE
    local inum other sharers=()
    inum=$(readlink "/proc/${pids[$1]}/ns/$2")
    if [ "$inum" = "$(readlink "/proc/1/ns/$2")" ]; then
        echo "host $inum"
        return
    fi
    for other in "${!pids[@]}"; do
        [ "$other" = "$1" ] || [ "$(readlink "/proc/${pids[$other]}/ns/$2")" != "$inum" ] || sharers+=("$other")
    done
    [ ${#sharers[@]} -eq 0 ] && echo "private $inum" || echo "shared $inum"
}

start_box alpha
start_box beta
start_box gamma --netns "/proc/${pids[alpha]}/ns/net"
start_box delta --hostnet --hostpid
small_guest 100000000 >guest.log 2>&1 &
guest=$!
wait_for 20 "a vCPU" bash -c "ls -l /proc/$guest/fd | grep -q kvm-vcpu"
kill -STOP $guest # it has its vCPU, and the processors are for others
pids[guest]=$guest

matrix || fail "matrix ended with status $?: $(cat "$messages")"
# One call of jq for all: it is slow in here.
jq -r '.units[] | . as $u | .namespaces | to_entries[]
    | "\($u.unit.kind)/\($u.pid) \(.key) \(.value.relation) \(.key):[\(.value.inum)]"' matrix.json | sort >cells
for name in "${!pids[@]}"; do
    kind=container
    [ "$name" != guest ] || kind=vm
    for type in "${types[@]}"; do
        echo "$kind/${pids[$name]} $type $(expected_cell "$name" "$type")"
    done
done | sort >expected
diff expected cells || fail "the cells are not what /proc says"
# lsns counts the processes of each namespace: the two that share, and those alone.
for name in alpha beta; do
    inum=$(readlink "/proc/${pids[$name]}/ns/net" | tr -dc 0-9)
    expect_equal "processes that lsns sees in the network of $name" "$([ $name = alpha ] && echo 2 || echo 1)" \
        "$(lsns --noheadings --type net --output NS,NPROCS | awk -v ns="$inum" '$1 == ns { print $2 }')"
done
expect_equal "groups" 'net alpha gamma false' "$(jq -r '.groups[]
    | "\(.namespaces | join(",")) \([.units[].name] | sort | join(" ")) \(.expected)"' matrix.json)"
expect_equal "pairs that share" 'alpha gamma' \
    "$(jq -r '.pairs.list[] | [.a.name, .b.name] | sort | join(" ")' matrix.json)"
expect_equal "findings above low" 'host-net delta,host-pid delta,shared-namespace alpha gamma' \
    "$(jq -r '.findings[] | select(.severity != "low") | "\(.rule) \([.units[].name] | sort | join(" "))"' matrix.json |
        sort | paste -sd,)"

# The table, for people and without colours in a pipe.
"$isoscope" matrix >table.all
! grep -nE '.{101}' table.all || fail "lines that are too long for most terminals"
"$isoscope" matrix --container alpha >table
grep -q '^container alpha .* shared:A ' table || fail "no cell of alpha: $(cat table)"
! grep -q 'delta' table || fail "a filter let delta through: $(cat table)"
! grep -q $'\x1b' table || fail "colours in a pipe"

status=0
"$isoscope" matrix --fail-on high >/dev/null 2>fail_on || status=$?
expect_equal "status with a high finding" 3 "$status"
"$isoscope" matrix --fail-on critical >/dev/null || fail "there is a critical finding: $(cat "$messages")"
"$isoscope" matrix --container beta --fail-on medium >/dev/null || fail "there is a finding in beta"

# A process of beta's cgroup in the host's namespaces, as after an escape; and one of alpha's in a cgroup of the host.
sleep 600 &
escaped=$!
echo $escaped >/sys/fs/cgroup/isolab/runc-beta.scope/cgroup.procs
runc exec --detach --pid-file "$PWD/moved" alpha sleep 500
moved=$(cat moved)
echo "$moved" >/sys/fs/cgroup/cgroup.procs
matrix
expect_equal "processes that are not where their unit is" \
    "critical member-in-host beta $escaped,medium outside-cgroup alpha $moved" \
    "$(jq -r '.findings[] | select(.processes) | "\(.severity) \(.rule) \(.units[0].name) \(.pids[0])"' matrix.json |
        sort | paste -sd,)"
kill $escaped "$moved"

# Containers that come and go while it looks are no finding of that kind.
for _ in 1 2 3; do
    runc exec beta /bin/true &
    matrix
    expect_equal "processes out of place during an exec" 0 "$(grep -c '"processes":[0-9]*,"pids"' matrix.json || true)"
    wait $!
done

# Without privileges nothing is to be seen.
status=0
setpriv --reuid 65534 --clear-groups "$isoscope" matrix >/dev/null 2>unprivileged || status=$?
expect_equal "status without privileges" 4 "$status"
grep -q CAP_SYS_PTRACE unprivileged || fail "it does not say what is missing: $(cat unprivileged)"

kill -KILL $guest
for name in alpha beta gamma delta; do
    container.sh stop runc $name
done
matrix
expect_equal "units at the end" 0 "$(jq '.units | length' matrix.json)"

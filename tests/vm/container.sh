#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Makes OCI bundles and runs containers from them with runc or crun. For the inside of the lab.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: container.sh create-bundle DIR [OPTION...] [-- COMMAND [ARGUMENT...]]
       container.sh start RUNTIME ID BUNDLE
       container.sh exec RUNTIME ID COMMAND [ARGUMENT...]
       container.sh pid RUNTIME ID
       container.sh stop RUNTIME ID

RUNTIME is runc or crun. A bundle's root file system is a static busybox; COMMAND is what the container runs
(`sleep 1000`). Containers have pid, net, ipc, uts, mnt and cgroup namespaces of their own and the cgroup /isolab/ID.
`start` returns once COMMAND runs; its output goes to BUNDLE/log. `pid` prints the host's pid of COMMAND.

  --cgroup PATH   another cgroup than /isolab/BASENAME-OF-DIR
  --hostpid       share the host's pid namespace
  --hostnet       share the host's network namespace
  --netns PATH    share the network namespace of this file, such as /proc/PID/ns/net
  --privileged    all capabilities, no seccomp, nothing masked or read-only: can enter the host's namespaces
  --no-cgroupns   share the host's cgroup namespace
  --add FILE      copy this static program into the container's /bin (may be repeated)
TEXT
}

die() {
    echo "container.sh: $*" >&2
    exit "${status:-1}"
}

misused() { status=2 die "$* (see --help)"; }

make_rootfs() {
    local rootfs=$1 busybox
    shift
    busybox=$(command -v busybox) || die "busybox is missing (package busybox-static)"
    mkdir -p "$rootfs"/{bin,dev,etc,proc,sys,tmp,root}
    cp "$busybox" "$rootfs/bin/busybox"
    # busybox's shell runs its own ln without exec: 300 links would take a minute of an emulated processor otherwise.
    (cd "$rootfs/bin" && busybox sh -c 'for name in $(busybox --list); do
        [ -e "$name" ] || ln -s busybox "$name"
    done')
    echo 'root:x:0:0:root:/root:/bin/sh' >"$rootfs/etc/passwd"
    (($# == 0)) || cp "$@" "$rootfs/bin/"
}

# In the order of their numbers (linux/capability.h).
readonly capabilities="
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
    NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT
    SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL
    SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"

# The runtime's own default is the base, so that what is tested is what people run.
# shellcheck disable=SC2016 # these are jq's variables
readonly common_edits='
    .process.terminal = false
    | .process.args = [range($count | tonumber) | $ARGS.named["word\(.)"]]
    | .process.env = ["PATH=/bin"]
    | .root.readonly = false
    | .hostname = $id
    | .linux.cgroupsPath = $cgroup
    | .linux.namespaces = [
        ("pid", "network", "ipc", "uts", "mount", "cgroup")
        | select((. == "pid" and $hostpid == "yes") or (. == "cgroup" and $cgroupns == "no")
            or (. == "network" and $netns == "host") | not)
        | {type: .} + (if . == "network" and $netns != "" then {path: $netns} else {} end)]'

# shellcheck disable=SC2016
readonly privileged_edits='
    | ($capabilities | [scan("\\S+") | "CAP_" + .][:($last | tonumber) + 1]) as $all
    | .process.capabilities = (["bounding", "effective", "permitted"] | map({key: ., value: $all}) | from_entries)
    | .process.noNewPrivileges = false
    | .linux.maskedPaths = [] | .linux.readonlyPaths = [] | del(.linux.seccomp)'

create_bundle() {
    local dir='' id cgroup='' hostpid=no netns='' cgroupns=yes privileged=no add=() args=(sleep 1000) edits=$common_edits
    local words=() i
    while (($# > 0)); do
        case $1 in
        --cgroup | --add | --netns) (($# > 1)) || misused "$1 wants a value" ;;&
        --cgroup) cgroup=$2 && shift ;;
        --add) add+=("$2") && shift ;;
        --hostpid) hostpid=yes ;;
        --hostnet) netns=host ;;
        --netns) netns=$2 && shift ;;
        --no-cgroupns) cgroupns=no ;;
        --privileged) privileged=yes ;;
        --) shift && break ;;
        -*) misused "unknown option $1" ;;
        *)
            [[ -z $dir ]] || misused "one DIR, and COMMAND after --"
            dir=$1
            ;;
        esac
        shift
    done
    [[ -n $dir ]] || misused "create-bundle wants a DIR"
    (($# == 0)) || args=("$@")
    id=$(basename "$dir")
    [[ $privileged == no ]] || edits+=$privileged_edits
    # One by one by name: jq 1.6 takes a leading dash for an option of its own even after --args. And one jq for all,
    # since each costs half a second on an emulated processor.
    for ((i = 0; i < ${#args[@]}; i++)); do
        words+=(--arg "word$i" "${args[i]}")
    done
    make_rootfs "$dir/rootfs" "${add[@]}"
    rm -f "$dir/config.json"
    runc spec --bundle "$dir" || die "runc spec failed in $dir"
    jq --arg id "$id" --arg cgroup "${cgroup:-/isolab/$id}" --arg hostpid "$hostpid" \
        --arg cgroupns "$cgroupns" --arg netns "$netns" \
        --arg capabilities "$capabilities" --arg last "$(</proc/sys/kernel/cap_last_cap)" \
        --arg count "${#args[@]}" "${words[@]}" "$edits" "$dir/config.json" >"$dir/config.new"
    mv "$dir/config.new" "$dir/config.json"
}

need_runtime() {
    [[ ${1:-} == runc || ${1:-} == crun ]] || misused "RUNTIME is runc or crun, not '${1:-}'"
    command -v "$1" >/dev/null || die "$1 is not installed"
    [[ -n ${2:-} ]] || misused "an ID is missing"
}

# A detached container keeps the descriptors it was given: a pipe of ours would never end.
start() {
    local runtime=$1 id=$2 bundle=${3:-}
    [[ -r $bundle/config.json ]] || die "no bundle in '$bundle': create-bundle makes one"
    "$runtime" run --detach --bundle "$bundle" "$id" </dev/null >"$bundle/log" 2>&1 || {
        cat "$bundle/log" >&2
        die "$runtime could not start $id"
    }
}

# state_of RUNTIME ID pid|status
state_of() { "$1" state "$2" | sed -n 's/^ *"'"$3"'" *: *"\{0,1\}\([^",]*\).*/\1/p'; }

stop() {
    local runtime=$1 id=$2 try status
    # Dead already, or gone, is fine.
    "$runtime" kill "$id" KILL 2>/dev/null || true
    for ((try = 0; try < 100; try++)); do
        status=$(state_of "$runtime" "$id" status 2>/dev/null) || break
        [[ $status != stopped ]] || break
        sleep 0.05
    done
    "$runtime" delete --force "$id" || status=1 die "$runtime could not delete $id"
}

main() {
    local command=${1:-}
    (($# == 0)) || shift
    case $command in
    -h | --help) usage ;;
    create-bundle) create_bundle "$@" ;;
    start) need_runtime "$@" && start "$@" ;;
    exec) need_runtime "$@" && exec "$1" exec "${@:2}" ;;
    pid) need_runtime "$@" && state_of "$1" "$2" pid ;;
    stop) need_runtime "$@" && stop "$@" ;;
    *) misused "unknown command '$command'" ;;
    esac
}

main "$@"

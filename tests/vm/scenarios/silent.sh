#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What container runtimes and sandboxes do all day gives no violation under the built-in policy: at least 100 containers and
# sandboxes started and stopped, and 100 programs executed in containers, by runc, crun, podman (of a user, too), containerd
# and its shim, as pods with CNI, by bubblewrap and ip-netns(8). Systems and packages are those of `silent_system`.
#
# Left out, though Debian has them: docker, whose daemon would change the firewall of the machine that tests, and whose
# containers are containerd's and runc's; flatpak, chromium and snap-confine, which want a session, a display or a store. There
# is no kubelet in Debian.
# shellcheck source=../corpus.sh
. "$(dirname "$0")/../corpus.sh"

podman=(podman --cgroup-manager=cgroupfs --events-backend=none)

run_oci() { # RUNTIME TIMES EXECS
    local i j
    for ((i = 0; i < $2; i++)); do
        "$1" run --detach --bundle "$PWD/$1-box" "$1-box" </dev/null
        for ((j = 0; j < $3; j++)); do
            "$1" exec "$1-box" /bin/true
        done
        "$1" delete --force "$1-box"
    done
}
run_runc() { run_oci runc 6 1; }
run_crun() { run_oci crun 12 8; }

# Each its own start and stop: what takes the least of an emulated processor.
run_short() {
    local i
    for ((i = 0; i < 66; i++)); do
        crun run --bundle "$PWD/short-box" short-box </dev/null
    done
}

# The bridge is CNI's, of five plugins.
run_podman() {
    "${podman[@]}" run --detach --name box --network podman --rootfs "$rootfs" sleep 600 </dev/null
    "${podman[@]}" exec box true
    "${podman[@]}" rm --force --time 0 box
}

run_rootless() {
    as_user "${podman[@]}" run --detach --cgroup-parent="${user_cgroup#/sys/fs/cgroup}" --pids-limit=-1 --name box \
        --network slirp4netns --rootfs "$PWD/user/rootfs" sleep 600 </dev/null
    as_user "${podman[@]}" exec box true
    as_user "${podman[@]}" rm --force --time 0 box
}

prepare_containerd() {
    cat >containerd.toml <<TEXT
version = 2
root = "$PWD/containerd/root"
state = "$PWD/containerd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
address = "$PWD/containerd.sock"
TEXT
    export CONTAINERD_ADDRESS=$PWD/containerd.sock
}

run_containerd() {
    local daemon
    containerd --config containerd.toml &
    daemon=$!
    wait_for 60 "containerd" ctr version
    ctr run --detach --rootfs "$rootfs" box /bin/sleep 600 </dev/null
    ctr task exec --exec-id probe box /bin/true
    ctr task delete --force box || true # its status is that of the sleep
    ctr container delete box
    kill $daemon
    wait $daemon
}

readonly pod=/kubepods/besteffort/pod12345678-1234-1234-1234-123456789abc

plug() { # ADD|DEL
    CNI_COMMAND=$1 CNI_CONTAINERID=pod CNI_NETNS=/run/netns/pod CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni /usr/lib/cni/ptp <<TEXT
{"cniVersion": "0.4.0", "name": "pod", "type": "ptp",
    "ipam": {"type": "host-local", "subnet": "10.99.0.0/24", "dataDir": "$PWD/cni"}}
TEXT
}

# As a kubelet's runtime does: a network namespace by name, a plugin moves the interface in, then the containers come.
run_pod() {
    local i
    ip netns add pod
    plug ADD
    runc run --detach --bundle "$PWD/pause-box" pause-box </dev/null
    runc run --detach --bundle "$PWD/app-box" app-box </dev/null
    for i in 1 2 3; do
        runc exec app-box /bin/true
    done
    runc delete --force app-box
    plug DEL
    runc delete --force pause-box
    ip netns del pod
}

run_bwrap() {
    local i
    for ((i = 0; i < 6; i++)); do
        bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all true
        as_user bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all true
    done
}

run_netns() {
    local i
    for ((i = 0; i < 5; i++)); do
        ip netns add "box$i"
        ip link add "host$i" type veth peer name eth0 netns "box$i"
        ip netns exec "box$i" ip link set lo up
        ip netns del "box$i"
    done
}

make_rootfs
for box in runc crun; do
    make_box $box
done
make_box short '.process.args = ["/bin/true"]'
in_netns='.linux.namespaces |= map(if .type == "network" then .path = "/run/netns/pod" else . end)'
make_box pause "$in_netns | .linux.cgroupsPath = \"$pod/\\(\"a\" * 64)\""
make_box app "$in_netns | .linux.cgroupsPath = \"$pod/\\(\"b\" * 64)\""
make_escape_box
make_user
prepare_containerd
printf '[storage]\ndriver = "vfs"\nrunroot = "%s"\ngraphroot = "%s"\n' "$PWD/podman/run" "$PWD/podman/graph" >storage.conf
export CONTAINERS_STORAGE_CONF=$PWD/storage.conf
modprobe -a veth tun
chmod 666 /dev/net/tun # as udev has it
start_agent -i 30s --events crossings
row runc 'run, exec and delete' 6 6 40 run_runc
row crun 'run, 8 times exec, and delete' 12 96 500 run_crun
row crun-short 'run of a command that ends by itself' 66 0 120 run_short
row podman 'run, exec and rm as root, with a bridge of CNI' 1 1 15 run_podman
row rootless 'podman run, exec and rm as a user, with slirp4netns' 1 1 12 run_rootless
row containerd 'run, exec and delete by ctr, with a shim' 1 1 5 run_containerd
row pod 'two containers in one network namespace, CNI, exec probes, by runc' 2 3 20 run_pod
row bubblewrap 'bwrap --unshare-all, as root and as a user' 12 0 15 run_bwrap
row ip-netns 'ip netns add, exec and del, with veth: 5 network namespaces' 0 5 15 run_netns
finish_table
[ "$(sum_of starts escape)" -ge 100 ] || fail "less than 100 starts"
[ "$(sum_of execs escape)" -ge 100 ] || fail "less than 100 execs"
expect_units bubblewrap

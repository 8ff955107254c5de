#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs a command as root in the lab: a Debian kernel with KVM under QEMU's emulation, on this machine's own files
# (read-only, below a throw-away overlay). Needs no hardware virtualization and no root.
set -euo pipefail

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly tree
# shellcheck source=lab/machine.sh
. "$tree/scripts/lab/machine.sh"

kernel=6.12 cpus='' memory=3072 icount='' with_kvm=yes out=''
command=()

usage() {
    cat <<'TEXT'
usage: lab.sh [OPTION...] [--] COMMAND [ARGUMENT...]

Runs COMMAND as root in the lab and returns its exit status. Its stdout and stderr come out as ours, separately and
live; its stdin is empty.

  --kernel 6.1|6.12   the lab's kernel                                   (6.12)
  --cpus N            processors of the lab; a Linux guest wants 1       (2; 1 with --icount)
  --memory MB         memory of the lab                                  (3072)
  --timeout S         end the lab after S seconds, boot included         (300)
  --icount            guest time = executed instructions: the same run gives the same figures
  --no-kvm            leave kvm unloaded; `modprobe kvm_amd` in COMMAND loads it
  --out DIR           DIR (made if missing) is writable inside, as $LAB_OUT
  --console FILE      keep the console of the lab's kernel in FILE
  --prepare           fetch and build what the lab needs, and run nothing
  -h, --help          this text

Inside: this tree at the same path and the same current folder, /dev/kvm, cgroup v2, tracefs, debugfs, bpffs, a fresh
/tmp and /run. The caller's environment variables LAB_* are passed on; LAB_KERNEL, LAB_GUEST_KERNEL and LAB_GUEST_INITRD
are set. What COMMAND leaves running is killed when it ends.

Exit status: COMMAND's own; 124 when the time limit ended it; 125 when the lab itself failed; 2 for a wrong option.
TEXT
}

parse_options() {
    local prepare=''
    while (($# > 0)); do
        case $1 in
        --kernel | --cpus | --memory | --timeout | --out | --console)
            (($# > 1)) || misused "$1 wants a value"
            ;;&
        --kernel) kernel=$2 && shift ;;
        --cpus) need_number "$1" "$2" && cpus=$2 && shift ;;
        --memory) need_number "$1" "$2" && memory=$2 && shift ;;
        --timeout) need_number "$1" "$2" && timeout=$2 && shift ;;
        --out) out=$2 && shift ;;
        --console) console=$2 && shift ;;
        --icount) icount=yes ;;
        --no-kvm) with_kvm=no ;;
        --prepare) prepare=yes ;;
        -h | --help) usage && exit 0 ;;
        --) shift && break ;;
        -*) misused "unknown option $1" ;;
        *) break ;;
        esac
        shift
    done
    [[ $kernel == 6.1 || $kernel == 6.12 ]] || misused "--kernel: there are 6.1 and 6.12, not '$kernel'"
    [[ -z $icount || ${cpus:-1} == 1 ]] || misused "--icount counts on one processor only: leave --cpus out"
    cpus=${cpus:-$([[ -n $icount ]] && echo 1 || echo 2)}
    command=("$@")
    [[ -n $prepare || ${#command[@]} -gt 0 ]] || misused "no COMMAND"
}

# Sets kernel_dir, initramfs, guest_kernel and guest_initramfs; quick when they are in the cache.
prepare() {
    local guest_dir
    kernel_dir=$("$tree/scripts/lab/kernel.sh" "$kernel") || fail "no kernel $kernel for the lab"
    initramfs=$("$tree/scripts/lab/initramfs.sh" lab "$kernel_dir") || fail "no initramfs for the lab"
    guest_dir=$("$tree/scripts/lab/kernel.sh" "$kernel" cloud) || fail "no cloud kernel for the Linux guest"
    guest_kernel=$guest_dir/vmlinuz
    guest_initramfs=$("$tree/scripts/lab/initramfs.sh" guest "$guest_dir") || fail "no initramfs for the guest"
}

write_settings() {
    {
        echo "tree=$(quote "$tree")"
        echo "kernel=$(quote "$kernel_dir")"
        echo "with_kvm=$with_kvm"
        echo "with_out=$([[ -n $out ]] && echo yes || echo no)"
    } >"$scratch/share/settings"
}

write_command() {
    local cwd
    cwd=$(pwd -P)
    [[ $cwd == "$tree" || $cwd == "$tree"/* ]] || cwd=$tree
    {
        print_environment "$kernel"
        echo "export LAB_GUEST_KERNEL=$(quote "$guest_kernel") LAB_GUEST_INITRD=$(quote "$guest_initramfs")"
        [[ -z $out ]] && echo "unset LAB_OUT" || echo "export LAB_OUT=/run/lab/out"
        echo "cd $(quote "$cwd") || exit 125"
        echo "exec $(quote "${command[@]}")"
    } >"$scratch/share/command"
}

# A comma in a value would end it for QEMU.
escaped() { echo "${1//,/,,}"; }

share() { echo "local,path=$(escaped "$1"),mount_tag=$2,security_model=none,multidevs=remap$3"; }

# Plain files as the ports' other end: QEMU writes them before the guest goes on, so that nothing is lost when the
# machine ends, and no reader, however slow or gone, can stop the machine.
port() {
    echo "-chardev" "file,id=port$1,path=$(escaped "$scratch")/$2"
    echo "-device" "virtserialport,chardev=port$1,nr=$1,name=lab.$1"
}

build_machine() {
    local image=$kernel_dir/vmlinux
    [[ -r $image ]] || image=$kernel_dir/vmlinuz
    # Without five-level paging each emulated page walk is shorter: the boot takes 1 s less.
    # thread=multi loses the race when the kernel patches its own code on one processor while another runs it.
    # shellcheck disable=SC2054 # the commas are QEMU's
    machine_args=(qemu-system-x86_64 -name isoscope-lab -nodefaults -no-user-config -no-reboot -display none
        -cpu max,la57=off -smp "$cpus" -m "$memory" -kernel "$image" -initrd "$initramfs"
        -append "console=ttyS0 quiet panic=-1"
        -chardev "file,id=console,path=$(escaped "$scratch")/console" -serial chardev:console
        -device virtio-serial-pci
        -virtfs "$(share / host ,readonly=on)" -virtfs "$(share "$scratch/share" share ,readonly=on)")
    mapfile -t -O "${#machine_args[@]}" machine_args < <(
        {
            port 1 stdout
            port 2 stderr
            port 3 words
        } | sed 's/ /\n/'
    )
    # See scripts/lab/memory.sh.
    mkfifo "$scratch"/memory.{in,out}
    machine_args+=(-chardev "pipe,id=memory,path=$(escaped "$scratch")/memory"
        -device "virtserialport,chardev=memory,nr=4,name=lab.4"
        -gdb "unix:$(escaped "$scratch")/gdb,server=on,wait=off")
    if [[ -n $icount ]]; then
        machine_args+=(-accel tcg -icount "shift=0,sleep=off")
    else
        machine_args+=(-accel "tcg,thread=single")
    fi
    [[ -z $out ]] || machine_args+=(-virtfs "$(share "$out" out '')")
}

run() {
    make_scratch
    mkdir "$scratch/share"
    write_settings
    write_command
    build_machine
    setpriv --pdeathsig KILL "$tree/scripts/lab/memory.sh" "$scratch" 9>&- &
    helpers+=($!)
    run_machine
}

main() {
    parse_options "$@"
    need_tools qemu-system-x86_64 busybox cpio xz dpkg-deb apt-get modprobe flock setpriv timeout
    if [[ -n $out ]]; then
        mkdir -p "$out" || fail "cannot make the folder '$out' (--out)"
        out=$(cd "$out" && pwd -P) || fail "cannot enter the folder '$out' (--out)"
    fi
    [[ -z $console ]] || : >"$console" || fail "cannot write '$console' (--console)"
    prepare
    ((${#command[@]} > 0)) || exit 0
    run
}

main "$@"

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs a command as root on an emulated Intel processor: a Debian kernel with kvm_intel under Bochs, which emulates VMX
# where QEMU does not. Slower than lab.sh by far (a start takes more than a minute), and without this machine's files:
# what the command needs is copied into it. Needs no hardware virtualization and no root.
set -euo pipefail

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly tree
# shellcheck source=lab/machine.sh
. "$tree/scripts/lab/machine.sh"

kernel=6.1 memory=512
setup='scripts/setup.sh --intel' timeout=600
command=() added=()

usage() {
    cat <<'TEXT'
usage: intel_lab.sh [OPTION...] [--] COMMAND [ARGUMENT...]

Runs COMMAND as root on an emulated Intel processor and returns its exit status. Its stdout and stderr come out as ours,
separately and live; its stdin is empty.

  --kernel 6.1|6.12   the lab's kernel                                   (6.1)
  --memory MB         memory of the lab                                  (512)
  --timeout S         end the lab after S seconds, boot included         (600)
  --add PATH          a file, or a folder with all that is below it, that COMMAND needs; may be given again
  --console FILE      keep the console of the lab's kernel in FILE
  --prepare           fetch and build what the lab needs, and run nothing
  -h, --help          this text

Inside, at the same paths: build/isoscope, the test programs, tests/vm, bash, jq, bpftool and what --add names, with the
shared libraries of programs; busybox for all else. /dev/kvm, cgroup v2, tracefs, debugfs and bpffs are there; the
current folder is this tree's. The caller's environment variables LAB_* are passed on, and LAB_KERNEL is set.

Exit status: COMMAND's own; 124 when the time limit ended it; 125 when the lab itself failed; 2 for a wrong option.
TEXT
}

parse_options() {
    local prepare=''
    while (($# > 0)); do
        case $1 in
        --kernel | --memory | --timeout | --add | --console)
            (($# > 1)) || misused "$1 wants a value"
            ;;&
        --kernel) kernel=$2 && shift ;;
        --memory) need_number "$1" "$2" && memory=$2 && shift ;;
        --timeout) need_number "$1" "$2" && timeout=$2 && shift ;;
        --add) [[ -e $2 ]] || misused "--add: there is no '$2'" && added+=("$2") && shift ;;
        --console) console=$2 && shift ;;
        --prepare) prepare=yes ;;
        -h | --help) usage && exit 0 ;;
        --) shift && break ;;
        -*) misused "unknown option $1" ;;
        *) break ;;
        esac
        shift
    done
    [[ $kernel == 6.1 || $kernel == 6.12 ]] || misused "--kernel: there are 6.1 and 6.12, not '$kernel'"
    command=("$@")
    [[ -n $prepare || ${#command[@]} -gt 0 ]] || misused "no COMMAND"
}

# Sets kernel_dir and initramfs; quick when they are in the cache. The cloud kernel, as it has fewer drivers that look for
# their hardware, and LZ4, which an emulated processor unpacks in seconds; with XZ it takes a minute.
prepare() {
    kernel_dir=$("$tree/scripts/lab/kernel.sh" "$kernel" cloud) || fail "no kernel $kernel for the lab"
    initramfs=$("$tree/scripts/lab/initramfs.sh" intel "$kernel_dir") || fail "no initramfs for the lab"
}

# add_file FILE: copies it, and the shared libraries of a program, to the same paths below $scratch/files. Without
# debug sections: nine tenths of the agent's size are read from the disk, an emulated one, for nothing.
add_file() {
    local file=$1 library
    [[ ! -e $scratch/files$file ]] || return 0
    mkdir -p "$scratch/files${file%/*}"
    strip --strip-debug -o "$scratch/files$file" "$file" 2>/dev/null || cp -L "$file" "$scratch/files$file" ||
        fail "cannot copy $file"
    while read -r library; do
        add_file "$library"
    done < <(LC_ALL=C ldd "$file" 2>/dev/null | grep -o '/[^ ]*')
}

add_files() {
    local path file
    local PATH=$PATH:/usr/sbin
    for path in "$tree"/build/isoscope "$tree"/build/release/tests/vm "$tree"/tests/vm "$(command -v bash)" \
        "$(command -v jq)" "$(command -v bpftool)" ${added[@]+"${added[@]}"}; do
        [[ -e $path ]] || continue # not built, not installed: COMMAND may need none of it
        path=$(realpath -s "$path")
        while IFS= read -r -d '' file; do
            add_file "$file"
        done < <(find "$path" -name CMakeFiles -prune -o -type f -print0)
    done
}

write_command() {
    mkdir -p "$scratch/files/lab"
    {
        print_environment "$kernel"
        echo "cd $(quote "$tree") || exit 125"
        echo "exec $(quote "${command[@]}")"
    } >"$scratch/files/lab/command"
}

# Made anew each time: this takes 2 s, a start more than a minute. A kernel that dies resets the processor at once, and by
# a triple fault, which ends Bochs (reset_on_triple_fault=0). Its tests of its own ciphers take a third of the boot.
build_disk() {
    local grub=$scratch/disk/boot/grub
    mkdir -p "$grub"
    cp "$kernel_dir/vmlinuz" "$scratch/disk/vmlinuz"
    cp "$initramfs" "$scratch/disk/initramfs"
    (cd "$scratch/files" && find . -print0 | cpio --null -o -H newc --owner=0:0 --quiet >"$scratch/disk/files") ||
        fail "could not write the files' archive: is the disk full?"
    cat >"$grub/grub.cfg" <<'GRUB'
set timeout=0
linux /vmlinuz console=ttyS0 quiet panic=-1 reboot=t cryptomgr.notests
initrd /initramfs /files
boot
GRUB
    grub-mkrescue --directory=/usr/lib/grub/i386-pc --install-modules="linux normal iso9660 biosdisk" --locales= \
        --fonts= --themes= -o "$scratch/disk.iso" "$scratch/disk" >"$scratch/machine" 2>&1 ||
        { cat "$scratch/machine" >&2 && fail "grub-mkrescue could not make the disk"; }
}

# The paths are relative, as bochsrc has no way to quote. ips is how many instructions make one emulated second: nothing
# here is real time, and a processor that sleeps costs nothing.
#   term    the one display without a window and without a network port; nobody looks at it
#   sound   with the default driver, this Bochs dies of a buffer overflow where there is no sound card
#   panic   Bochs calls harmless things a panic; what is not shows in the console and by the time limit
build_machine() {
    cat >"$scratch/bochsrc" <<BOCHS
config_interface: textconfig
display_library: term
sound: driver=dummy
megs: $memory
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model=corei7_skylake_x, count=1, ips=100000000, reset_on_triple_fault=0
clock: sync=none
ata0-master: type=cdrom, path=disk.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=console
com2: enabled=1, mode=file, dev=stdout
com3: enabled=1, mode=file, dev=stderr
com4: enabled=1, mode=file, dev=words
mouse: enabled=0
log: log
panic: action=report
error: action=ignore
info: action=ignore
debug: action=ignore
BOCHS
    # Debian's Bochs starts in its debugger: c lets the machine run, and where the input ends the debugger ends.
    echo c >"$scratch/input"
    machine_input=$scratch/input
    machine_args=(env -C "$scratch" TERM=vt100 bochs -q -f bochsrc)
}

main() {
    parse_options "$@"
    need_tools bochs grub-mkrescue xorriso busybox cpio strip ldd dpkg-deb apt-get modprobe flock setpriv timeout
    [[ -z $console ]] || : >"$console" || fail "cannot write '$console' (--console)"
    prepare
    ((${#command[@]} > 0)) || exit 0
    make_scratch
    add_files
    write_command
    build_disk
    build_machine
    run_machine
}

main "$@"

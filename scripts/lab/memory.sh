#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Writes into the memory of a lab's kernel, as an exploit would and nothing inside may: through the emulator's gdb stub,
# which stops the machine meanwhile. For lab.sh; inside, tests/vm/lib.sh asks (write_memory).
#
# usage: memory.sh FOLDER. Reads lines `ADDRESS VALUE...` from the pipe FOLDER/memory.out, writes each value (8 bytes) to
# its address, and answers `written`, or why not, in FOLDER/memory.in. Ends when the machine does.
set -euo pipefail

write_words() { # ADDRESS VALUE...
    local commands=(-ex "set architecture i386:x86-64" -ex "target remote $folder/gdb")
    (($# > 0 && $# % 2 == 0)) || return 1
    while (($# > 0)); do
        [[ $1$2 =~ ^0x[0-9a-f]+0x[0-9a-f]+$ ]] || return 1
        commands+=(-ex "set {unsigned long}$1 = $2")
        shift 2
    done
    timeout -k 1 30 gdb --batch -nx "${commands[@]}" -ex detach </dev/null
}

folder=$1
exec 3<"$folder/memory.out" 4<>"$folder/memory.in"
while read -r -a words <&3; do
    if out=$(write_words "${words[@]}" 2>&1) && ! grep -qiE 'error|cannot|refused' <<<"$out"; then
        echo written >&4
    else
        echo "gdb: ${out//$'\n'/; }" >&4
    fi
done

# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Shared by lab.sh and intel_lab.sh: runs an emulator, prints what the command inside says, and ends as the command ended.
# The emulator writes four files below $scratch: stdout, stderr, console, and words about the run itself ("started",
# "exit N", "failed WHY").

readonly status_timeout=124 status_lab_failed=125

# What the lab that sources this may set: the emulator with its arguments, the file that is its stdin, and the script that
# installs what is needed.
timeout=300 console='' machine_args=() machine_input=/dev/null setup=scripts/setup.sh

# Set once known, for clean_up.
scratch='' machine='' machine_started='' relays=() helpers=()

say() { echo "${0##*/}: $*" >&2; }

fail() {
    say "$*"
    exit $status_lab_failed
}

misused() {
    say "$* (see --help)"
    exit 2
}

need_number() {
    [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || misused "$1 wants a whole number above 0, not '$2'"
}

need_tools() {
    local tool missing=()
    for tool in "$@"; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    ((${#missing[@]} == 0)) || fail "missing: ${missing[*]}; $setup installs what is needed"
}

# Quotes for a plain POSIX shell: bash's own %q may use forms that dash does not know.
quote() {
    local word
    for word in "$@"; do
        printf "'%s' " "${word//\'/\'\\\'\'}"
    done
}

# What every command finds in its environment.
print_environment() { # KERNEL
    local name
    echo "export HOME=/root USER=root LOGNAME=root TERM=dumb LANG=C.UTF-8"
    echo "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    while read -r name; do
        echo "export $name=$(quote "${!name}")"
    done < <(compgen -e LAB_)
    echo "export LAB_KERNEL=$(quote "$1")"
}

make_scratch() {
    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    scratch=$(mktemp -d "${TMPDIR:-/tmp}/isoscope-lab.XXXXXX")
    touch "$scratch"/{stdout,stderr,words,console}
}

# shellcheck disable=SC2317 # called by the trap
clean_up() {
    trap '' INT TERM HUP
    if [[ -n $machine ]] && kill -0 "$machine" 2>/dev/null; then
        kill -TERM "$machine" 2>/dev/null || true
        wait "$machine" 2>/dev/null || true
    fi
    ((${#relays[@]} + ${#helpers[@]} == 0)) || kill "${relays[@]}" "${helpers[@]}" 2>/dev/null || true
    [[ -z $scratch ]] || rm -rf "$scratch"
}

# Parent-death signals on both: even a kill -9 of this script leaves no machine behind.
start_machine() {
    setpriv --pdeathsig TERM timeout -k 3 "$timeout" setpriv --pdeathsig KILL "${machine_args[@]}" \
        <"$machine_input" >"$scratch/machine" 2>&1 9>&- &
    machine=$!
    machine_started=$SECONDS
}

# relay FILE: prints a growing file until the machine is gone. tail ends quietly when nobody reads any more.
relay() { exec setpriv --pdeathsig KILL tail -q -c +1 -s 0.05 -f --pid="$machine" "$1" 2>/dev/null; }

explain() {
    say "$1"
    if [[ -s $scratch/machine ]]; then
        tail -n 5 "$scratch/machine" >&2
    fi
    say "last lines of its console:"
    tr -d '\r' <"$scratch/console" | tail -n 40 | sed 's/^/    /' >&2
}

# The lab's words decide; the emulator's own status tells nothing about the command.
finish() {
    local machine_status=$1 words
    words=$(<"$scratch/words")
    if [[ $words =~ exit\ ([0-9]+) ]]; then
        exit "${BASH_REMATCH[1]}"
    fi
    if ((machine_status == 124 || machine_status == 137)) && ((SECONDS - machine_started >= timeout)); then
        if [[ $words == started* ]]; then
            say "the command did not end within $timeout s (--timeout): the lab was stopped"
            exit $status_timeout
        fi
        explain "the lab did not boot within $timeout s"
    elif [[ $words =~ failed\ (.*) ]]; then
        explain "the lab could not start the command: ${BASH_REMATCH[1]}"
    elif [[ $words == started* ]]; then
        explain "the lab's kernel died while the command ran"
    else
        explain "the lab's kernel did not boot (the emulator ended with $machine_status)"
    fi
    exit $status_lab_failed
}

# Does not return.
run_machine() {
    local machine_status=0
    start_machine
    relay "$scratch/stdout" &
    relays+=($!)
    relay "$scratch/stderr" >&2 &
    relays+=($!)
    wait "$machine" 2>/dev/null || machine_status=$? # bash would tell of a machine that was killed: finish() does
    wait "${relays[@]}" || true
    relays=()
    [[ -z $console ]] || tr -d '\r' <"$scratch/console" >"$console"
    finish "$machine_status"
}

#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sets up, builds, and runs every tier of tests: static, unit, package, fuzz, bpf, vm; or that of Intel. Ends with
# `N passed, N failed, N skipped`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'TEXT'
usage: scripts/test.sh [--quick|--all] [TIER...]
       scripts/test.sh --intel

TIER: static, unit, bpf, vm; with --all also package, and fuzz, which feeds the reader of policies with malformed files for
60 s. Without an option, what one change is tried with: of the vm tier the scenarios that hang on the kernel most. --all
adds clang-tidy, the sanitizers, packages, fuzz and each scenario, most on every kernel; --quick leaves one scenario on one kernel.
A tier that is named runs, whatever the option. Logs go to build/test/. A skip names the feature of this machine that is
missing; the vm tier brings its own machine and never skips.

--intel runs a tier of its own and nothing else: scenarios on an emulated Intel processor, at most 10 minutes.
TEXT
}

quick=no all=no intel=no
tiers=()
for argument in "$@"; do
    case "$argument" in
    --quick) quick=yes ;;
    --all) all=yes ;;
    --intel) intel=yes ;;
    static | unit | package | fuzz | bpf | vm) tiers+=("$argument") ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        echo "test.sh: unknown argument '$argument' (see --help)" >&2
        exit 2
        ;;
    esac
done
if [ $intel = yes ] && { [ $quick = yes ] || [ $all = yes ] || [ ${#tiers[@]} -gt 0 ]; }; then
    echo "test.sh: --intel stands alone (see --help)" >&2
    exit 2
fi
if [ $quick = yes ] && [ $all = yes ]; then
    echo "test.sh: --quick and --all exclude each other" >&2
    exit 2
fi
if [ ${#tiers[@]} -eq 0 ]; then
    tiers=(static unit bpf vm)
    [ $all = no ] || tiers+=(package fuzz)
fi

readonly logs=$PWD/build/test
# The labs, a line each: KERNEL MACHINE SCENARIO... An emulated machine takes one processor of ours, so two run at a time;
# the longest come first. There is no time for everything on both kernels: what is on one alone hangs least on the other.
lab_jobs() {
    # Those that hang on the kernel most, and find most of what a change breaks.
    local common='small_guest reasons switches escape access containers'
    # They take cgroup v2 away, and lock the machine down, until it is off.
    local last='cgroup_v1 bad_machines'
    local installed='installed_deb installed_rpm in_pod'
    if [ $all = no ]; then
        printf '%s\n' "6.12 two_cpus $common" "6.1 two_cpus $common"
        return
    fi
    common+=' nested runqlat counts enforce silent flood storm births silent_system memory'
    printf '%s\n' "6.12 two_cpus $common $last" "6.1 two_cpus $common $last" \
        "6.12 two_cpus:own sched hooked_waits cpu_hotplug split kvm_modules policies ends $installed" \
        "6.1 two_cpus:own prometheus lifetimes matrix names command outputs resources" \
        "6.1 counted waits many_cgroups" "6.12 counted waits means"
    # Linux guests hang now and then in a lab of more than one processor (a fault of QEMU's SVM emulation).
    echo "6.12 one_cpu linux_guest"
}
readonly scenarios_intel=(vmx_exits vmx_classic vmx_stream)
passed=0 failed=0 skipped=0
mkdir -p "$logs"

pass() {
    passed=$((passed + 1))
    echo "ok      $*"
}
fails() {
    failed=$((failed + 1))
    echo "FAILED  $*"
}
wants() { case " ${tiers[*]} " in *" $1 "*) ;; *) return 1 ;; esac; }

# A check that is silent when all is well.
check() { # NAME COMMAND...
    local name=$1 log
    log=$logs/$(tr '/ ' '__' <<<"$1").log
    shift
    if "$@" >"$log" 2>&1; then
        pass "$name"
    else
        fails "$name"
        tail -n 40 "$log" | sed 's/^/    /'
    fi
}

sources() { git ls-files --cached --others --exclude-standard -- "$@"; }

clang_format() { sources '*.c' '*.cc' '*.h' ':!vmlinux' | xargs clang-format --dry-run --Werror; }
shellchecks() { sources '*.sh' '.ci/run' 'scripts/lab/*init' | xargs shellcheck -x; }
file_sizes() { sources '*.c' '*.cc' '*.h' '*.py' '*.sh' ':!vmlinux' | xargs wc -l | awk '$2 != "total" && $1 > 600 { print; bad = 1 } END { exit bad }'; }
# g++'s precompiled headers are none to clang.
clang_tidy() {
    mkdir -p build/tidy
    sed 's/ -Winvalid-pch -include [^ ]*//' build/release/compile_commands.json >build/tidy/compile_commands.json
    sources 'userspace/*.cc' | xargs -P "$(nproc)" -n 4 clang-tidy -p build/tidy --quiet
}

static_tier() {
    check static/clang-format clang_format
    check static/shellcheck shellchecks
    check static/layers python3 scripts/check_layers.py
    check static/file-sizes file_sizes
    [ $all = no ] || check static/clang-tidy clang_tidy
}

# Runs the tests of a label and adds up what ctest wrote.
run_ctest() { # PRESET LABEL
    local report=$logs/$1-$2.xml log=$logs/$1-$2.log status=0
    ctest --test-dir "build/$1" -L "^$2\$" -j "$(nproc)" --timeout 120 --output-on-failure --no-tests=error \
        --output-junit "$report" >"$log" 2>&1 || status=$?
    python3 - "$report" <<'PYTHON' >"$logs/counts" || echo 0 0 0 >"$logs/counts"
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot()
tests, failed = int(suite.get("tests")), int(suite.get("failures"))
skipped = int(suite.get("skipped")) + int(suite.get("disabled"))
print(tests - failed - skipped, failed, skipped)
for case in suite.iter("testcase"):
    if case.get("status") == "fail":
        print("FAILED ", case.get("name"))
    elif case.find("skipped") is not None:
        reason = [line.strip() for line in (case.findtext("system-out") or "").splitlines() if "Skipped" in line or "missing" in line]
        print("skipped", case.get("name"), reason[0] if reason else "")
PYTHON
    local good bad left
    read -r good bad left <"$logs/counts"
    tail -n +2 "$logs/counts"
    if [ $status -ne 0 ] && [ "$bad" -eq 0 ]; then
        bad=1
        echo "FAILED  $2 ($1): ctest ended with $status, see $log"
    fi
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left))
    [ "$bad" -eq 0 ] || { grep -A 30 '\*\*\*Failed\|\*\*\*Exception\|\*\*\*Timeout' "$log" || tail -n 40 "$log"; } |
        sed -n '1,120s/^/    /p'
    echo "        $2 ($1): $good passed, $bad failed, $left skipped"
}

unit_tier() {
    run_ctest release unit
    [ $all = no ] || run_ctest asan unit
}

package_tier() {
    local name
    for name in completions manual unit build lint_deb lint_rpm contents scripts rpm_installs reproducible; do
        check package/$name tests/package/check.sh $name
    done
}

# From the corpus of the tree and all policies of the tests; what is new stays in build/fuzz/corpus.
fuzz_policies() {
    local corpus=build/fuzz/corpus
    mkdir -p "$corpus"
    build/fuzz/tests/fuzz/policy_fuzz -max_total_time=60 -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -dict=tests/fuzz/policy.dict -artifact_prefix=build/fuzz/ "$corpus" tests/data/fuzz/policy \
        tests/data/policies/good tests/data/policies/bad
}

fuzz_tier() { check fuzz/policies fuzz_policies; }

bpf_tier() { run_ctest release bpf; }

readonly most_again=6 # if more failed, something is broken, and not disturbed

# Runs scenarios in a lab of its own; what they say goes to a log.
one_lab() { # KERNEL MACHINE LOG SCENARIO...
    local log=$3 out=$logs/vm-$1 status=0 kernel=$1 machine=()
    case $2 in
    two_cpus*) machine=(--cpus 2) ;;
    one_cpu) machine=(--cpus 1) ;;
    counted) machine=(--cpus 1 --icount) ;; # time is counted instructions there
    esac
    shift 3
    scripts/lab.sh --kernel "$kernel" "${machine[@]}" --timeout 3600 --out "$out" -- tests/vm/run.sh "$@" \
        >"$log" 2>"$log.err" || status=$?
    echo "lab ended with $status" >>"$log.err"
}

without_ok() { # LOG SCENARIO...
    local log=$1 name
    shift
    for name in "$@"; do
        grep -q "^ok $name " "$log" || echo "$name"
    done
}

# An emulated machine hangs now and then, or stands still while others have its processor: what failed runs once more, in a
# fresh lab. What failed at first is printed all the same.
in_lab() { # KERNEL MACHINE SCENARIO...
    local kernel=$1 kind=$2 log=$logs/vm-$1-$2.log failed_names
    shift 2
    rm -f "$log.again"
    one_lab "$kernel" "$kind" "$log" "$@"
    mapfile -t failed_names < <(without_ok "$log" "$@")
    ((${#failed_names[@]} > 0 && ${#failed_names[@]} <= most_again)) || return 0
    one_lab "$kernel" "$kind" "$log.again" "${failed_names[@]}"
}

report_scenario() { # PREFIX LOG SCENARIO
    if grep "^ok $3 " "$2" >"$logs/line"; then
        pass "$1/$(sed 's/^ok //' "$logs/line")"
    elif [ -e "$2.again" ] && grep "^ok $3 " "$2.again" >"$logs/line"; then
        echo "again   $1/$3 failed at the first try:"
        what_it_said "$2" "$3"
        pass "$1/$(sed 's/^ok //' "$logs/line"), at the second try"
    else
        fails "$1/$3"
        what_it_said "$2" "$3"
        [ ! -e "$2.again" ] || { echo '    and at the second try:' && what_it_said "$2.again" "$3"; }
    fi
}

# A scenario that said nothing has not run: the lab ended before it.
what_it_said() { # LOG SCENARIO
    if grep -q "^not ok $2 " "$1"; then
        awk -v name="$2" '/^(not )?ok / { in_it = $1 == "not" && $3 == name } in_it { print "    " $0 }' "$1"
    else
        echo "    did not run; the lab's last words:"
        tail -n 20 "$1.err" | sed 's/^/    /'
    fi
}

report_scenarios() { # PREFIX LOG SCENARIO...
    local prefix=$1 log=$2 name
    shift 2
    for name in "$@"; do
        report_scenario "$prefix" "$log" "$name"
    done
    grep -v '^ok \|^not ok \|^    ' "$log" || true # tables that scenarios print
}

vm_tier() {
    local job jobs kernel machine names
    rm -rf "$logs"/vm-*
    if [ $quick = yes ]; then
        in_lab 6.12 two_cpus small_guest
        report_scenarios vm/6.12 "$logs/vm-6.12-two_cpus.log" small_guest
        check vm/records lab_records
        return
    fi
    [ $all = no ] || wants package || scripts/package.sh >"$logs/package.log" # for `installed_deb`, `installed_rpm`
    for job in 6.1 6.12; do
        scripts/lab.sh --kernel $job --prepare || true # the lab itself will say what is wrong
    done
    mapfile -t jobs < <(lab_jobs)
    for job in "${jobs[@]}"; do
        while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
            wait -n || true # a lab that was killed has not run, and is told as that
        done
        # shellcheck disable=SC2086 # words
        in_lab $job &
    done
    wait
    for job in "${jobs[@]}"; do
        read -r kernel machine names <<<"$job"
        # shellcheck disable=SC2086 # words
        report_scenarios "vm/$kernel" "$logs/vm-$kernel-$machine.log" $names
    done
    check vm/records lab_records
}

# What the scenarios have written, against the schema that is shipped.
lab_records() { find "$logs"/vm-* -name '*.ndjson' -size +0 -exec /usr/bin/python3 tests/operator/validate_records.py {} +; }

intel_tier() {
    local log=$logs/intel.log status=0
    scripts/intel_lab.sh --timeout 540 --console "$logs/intel.console" -- tests/vm/run.sh "${scenarios_intel[@]}" \
        >"$log" 2>"$log.err" || status=$?
    echo "lab ended with $status" >>"$log.err"
    report_scenarios intel "$log" "${scenarios_intel[@]}"
}

if [ $intel = yes ]; then
    scripts/setup.sh --intel
    scripts/build.sh release
    intel_tier
else
    scripts/setup.sh
    scripts/build.sh release
    [ $all = no ] || ! wants unit || scripts/build.sh asan
    ! wants fuzz || scripts/build.sh fuzz
    for tier in static unit package fuzz bpf vm; do
        ! wants $tier || "${tier}_tier"
    done
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]

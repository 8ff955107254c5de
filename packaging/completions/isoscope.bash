# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# bash completion for isoscope(1).

_isoscope_values() { # OPTION: what it takes, where that can be told
    case $1 in
    -f | --format) [[ $2 == matrix ]] && echo 'table json' || echo 'table ndjson prom otlp otlp-logs otlp-metrics' ;;
    --events) echo 'exits switches cgroups crossings accesses attempts all' ;;
    --sort) echo 'time count name' ;;
    --color) echo 'auto always never' ;;
    --fail-on) echo 'low medium high critical' ;;
    --bottleneck) echo 'cpu= memory= io=' ;;
    *) return 1 ;;
    esac
}

_isoscope_options() { # COMMAND
    local run='--output --format --interval --listen --rotate-size --rotate-keep --top --sort --series --color --duration
        --events --slow-exit --data-ring --label --exit-histograms --accounts --bottleneck --policy --fail-on --vm
        --container --cgroup --pid --vcpu --reason --unit --config --quiet --verbose --help'
    case $1 in
    run | 'config show') echo "$run" ;;
    check) echo '--color --json --quiet --verbose --help' ;;
    matrix) echo '--format --top --color --vm --container --cgroup --unit --all --fail-on --quiet --verbose --help' ;;
    version) echo '--json --help' ;;
    policy* | config*) echo '--help' ;;
    esac
}

_isoscope() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} i words
    COMPREPLY=()
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- && $command == run ]]; then # the rest is another program's
            declare -F _command_offset >/dev/null && _command_offset $((i + 1))
            return
        fi
    done
    if ((COMP_CWORD == 1)); then
        words='run check matrix policy config version help --help --version'
    elif ((COMP_CWORD == 2)) && [[ $command == policy ]]; then
        words='validate test explain --help'
    elif ((COMP_CWORD == 2)) && [[ $command == config ]]; then
        words='show validate schema --help'
    elif ((COMP_CWORD == 2)) && [[ $command == help ]]; then
        words='run check matrix policy config version'
    elif ((COMP_CWORD == 3)) && [[ "$command ${COMP_WORDS[2]}" == 'config schema' && $word != -* ]]; then
        words='config policy events'
    elif words=$(_isoscope_values "$before" "$command"); then
        :
    elif [[ $word == -* ]]; then
        [[ $command != config && $command != policy ]] || command+=" ${COMP_WORDS[2]}"
        words=$(_isoscope_options "$command")
    else
        compopt -o default 2>/dev/null
        return
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _isoscope isoscope

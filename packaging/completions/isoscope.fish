# SPDX-License-Identifier: Apache-2.0
# fish completion for isoscope(1).

function __isoscope_is --description 'the command is one of these'
    set -l words (commandline -opc)
    contains -- "$words[2]" $argv
end

function __isoscope_takes_run_options
    set -l words (commandline -opc)
    test "$words[2]" = run; or test "$words[2] $words[3]" = 'config show'
end

function __isoscope_needs_member --argument-names group
    set -l words (commandline -opc)
    test (count $words) -eq 2; and test "$words[2]" = $group
end

function __isoscope_takes_schema
    set -l words (commandline -opc)
    test (count $words) -eq 3; and test "$words[2] $words[3]" = 'config schema'
end

complete -c isoscope -n __fish_use_subcommand -f -a run -d 'trace this host until stopped'
complete -c isoscope -n __fish_use_subcommand -f -a check -d 'what this kernel offers'
complete -c isoscope -n __fish_use_subcommand -f -a matrix -d 'who shares which namespace with whom'
complete -c isoscope -n __fish_use_subcommand -f -a policy -d 'validate, test or explain policies'
complete -c isoscope -n __fish_use_subcommand -f -a config -d 'show or validate configuration'
complete -c isoscope -n __fish_use_subcommand -f -a version -d 'show the version'
complete -c isoscope -n __fish_use_subcommand -f -a help -d 'show help'
complete -c isoscope -n '__isoscope_is help' -f -a 'run check matrix policy config version'
complete -c isoscope -n '__isoscope_needs_member policy' -f -a 'validate test explain'
complete -c isoscope -n '__isoscope_needs_member config' -f -a 'show validate schema'
complete -c isoscope -n '__isoscope_takes_schema' -f -a 'config policy events'

complete -c isoscope -n '__isoscope_is run check matrix policy config version' -s h -l help -d 'show help and exit'
complete -c isoscope -n '__isoscope_is check version' -l json -d 'print one JSON object'
complete -c isoscope -n '__isoscope_takes_run_options; or __isoscope_is check matrix' -s q -l quiet -d 'no messages but errors'
complete -c isoscope -n '__isoscope_takes_run_options; or __isoscope_is check matrix' -s v -l verbose -d 'more messages'
complete -c isoscope -n '__isoscope_takes_run_options; or __isoscope_is check matrix' -l color -x -a 'auto always never' -d colour
complete -c isoscope -n '__isoscope_takes_run_options; or __isoscope_is matrix' -l top -x -d 'rows per section'
complete -c isoscope -n '__isoscope_takes_run_options; or __isoscope_is matrix' -l vm -x -d 'VMs with this name, uuid or pid:NNN'
complete -c isoscope -n '__isoscope_takes_run_options; or __isoscope_is matrix' -l container -x -d 'containers with this name or id'
complete -c isoscope -n '__isoscope_takes_run_options; or __isoscope_is matrix' -l cgroup -x -d 'this cgroup and all below it'
complete -c isoscope -n '__isoscope_takes_run_options; or __isoscope_is matrix' -l unit -x -d 'units whose name or id matches'
complete -c isoscope -n '__isoscope_takes_run_options; or __isoscope_is matrix' -l fail-on -x -a 'low medium high critical' -d 'end with 3'
complete -c isoscope -n '__isoscope_is matrix' -s f -l format -x -a 'table json' -d format
complete -c isoscope -n '__isoscope_is matrix' -l all -d 'services and other cgroups, too'

complete -c isoscope -n __isoscope_takes_run_options -s o -l output -r -d 'write to FILE, - is standard output'
complete -c isoscope -n __isoscope_takes_run_options -s f -l format -x -a 'table ndjson prom otlp otlp-logs otlp-metrics' -d 'format of the outputs after it'
complete -c isoscope -n __isoscope_takes_run_options -s i -l interval -x -d 'length of a window'
complete -c isoscope -n __isoscope_takes_run_options -l listen -x -d 'serve metrics by HTTP'
complete -c isoscope -n __isoscope_takes_run_options -l rotate-size -x -d 'move a file aside before it grows beyond this'
complete -c isoscope -n __isoscope_takes_run_options -l rotate-keep -x -d 'files that were moved aside are kept'
complete -c isoscope -n __isoscope_takes_run_options -l sort -x -a 'time count name' -d 'order of rows'
complete -c isoscope -n __isoscope_takes_run_options -l series -x -d 'series of prom at most'
complete -c isoscope -n __isoscope_takes_run_options -s d -l duration -x -d 'stop after this run time'
complete -c isoscope -n __isoscope_takes_run_options -l events -x -a 'exits switches cgroups crossings accesses attempts all' -d 'stream single events'
complete -c isoscope -n __isoscope_takes_run_options -l slow-exit -x -d 'stream VM exits that take this long'
complete -c isoscope -n __isoscope_takes_run_options -l data-ring -x -d 'buffer for streamed events'
complete -c isoscope -n __isoscope_takes_run_options -l label -x -d 'carry this label of containers'
complete -c isoscope -n __isoscope_takes_run_options -l exit-histograms -x -d 'pairs of vCPU and reason told apart'
complete -c isoscope -n __isoscope_takes_run_options -l accounts -x -d 'cgroups and VMMs counted apart'
complete -c isoscope -n __isoscope_takes_run_options -l bottleneck -x -d 'share of the time that a unit may wait'
complete -c isoscope -n __isoscope_takes_run_options -l policy -r -d 'policies from this file or folder'
complete -c isoscope -n __isoscope_takes_run_options -l pid -x -d 'this process'
complete -c isoscope -n __isoscope_takes_run_options -l vcpu -x -d 'VM exits of this vCPU'
complete -c isoscope -n __isoscope_takes_run_options -l reason -x -d 'VM exits for this reason'
complete -c isoscope -n __isoscope_takes_run_options -s c -l config -r -d 'read options from a YAML file'

// SPDX-License-Identifier: GPL-2.0-only
/* One variable of each struct that both sides of the ABI know: only what is used has a place in BTF. */
#include "vmlinux.h"

#include "abi/counters.h"
#include "abi/event.h"
#include "abi/knobs.h"

struct isoscope_event_header event_header;
struct isoscope_vm_exit vm_exit;
struct isoscope_switch context_switch;
struct isoscope_cgroup_change cgroup_change;
struct isoscope_cgroup_attach cgroup_attach;
struct isoscope_ns_set ns_set;
struct isoscope_exe exe;
struct isoscope_exec exec;
struct isoscope_namespaces namespaces;
struct isoscope_vcpu_event vcpu_event;
struct isoscope_access access;
struct isoscope_breach breach;
struct isoscope_exit_cell exit_cell;
struct isoscope_vcpu vcpu;
struct isoscope_sched_cell sched_cell;
struct isoscope_cpu_runs cpu_runs;
struct isoscope_preemption_key preemption_key;
struct isoscope_preemption preemption;
struct isoscope_knobs knobs;
struct isoscope_control control;
struct isoscope_enforcement enforcement;
struct isoscope_recheck recheck;
struct isoscope_hist_tables hist_tables;

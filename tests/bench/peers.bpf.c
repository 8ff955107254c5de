// SPDX-License-Identifier: GPL-2.0-only
/*
 * What others do with VM exits and context switches, to be measured beside us: nothing at all, and with exits
 * the way of the bcc tools (kvmexit, funclatency and their kin): classic tracepoints, a hash by thread for
 * the start, a hash of histograms. Where there is a choice it is the cheaper one: what is measured must not
 * look dear by our doing.
 */
#include "vmlinux.h" /* first: the others use its types */

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "peers.h"

char LICENSE[] SEC("license") = "GPL";

SEC("?tp_btf/kvm_exit")
int BPF_PROG(empty_exit) {
  return 0;
}

SEC("?tp_btf/sched_switch")
int BPF_PROG(empty_switch) {
  return 0;
}

struct start {
  __u64 ns;
  __u32 reason;
  __u32 pad;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 10240);
  __type(key, __u32);
  __type(value, struct start);
} starts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 10240);
  __type(key, struct peer_key);
  __type(value, struct peer_histogram);
} histograms SEC(".maps");

SEC("?tracepoint/kvm/kvm_exit")
int hash_exit(struct trace_event_raw_kvm_exit* ctx) {
  __u32 tid = bpf_get_current_pid_tgid();
  struct start start = {.ns = bpf_ktime_get_ns()};

  start.reason = ctx->exit_reason;
  bpf_map_update_elem(&starts, &tid, &start, BPF_ANY);
  return 0;
}

/* As bits.bpf.h of the libbpf tools has it. */
static __always_inline __u32 log2_of(__u64 value) {
  __u32 high = value >> 32;
  __u32 v = high ? high : value;
  __u32 r, shift;

  r = (v > 0xffff) << 4;
  v >>= r;
  shift = (v > 0xff) << 3;
  v >>= shift;
  r |= shift;
  shift = (v > 0xf) << 2;
  v >>= shift;
  r |= shift;
  shift = (v > 0x3) << 1;
  v >>= shift;
  r |= shift;
  r |= v >> 1;
  return high ? r + 32 : r;
}

/* The start stays: the thread's next exit overwrites it, for less than a delete and an insert cost. */
SEC("?tracepoint/kvm/kvm_entry")
int hash_entry(void* ctx) {
  static const struct peer_histogram empty;
  struct peer_key key = {.tid = bpf_get_current_pid_tgid()};
  struct peer_histogram* histogram;
  struct start* start;
  __u32 slot;

  start = bpf_map_lookup_elem(&starts, &key.tid);
  if (!start)
    return 0;
  key.reason = start->reason;
  histogram = bpf_map_lookup_elem(&histograms, &key);
  if (!histogram) {
    bpf_map_update_elem(&histograms, &key, &empty, BPF_NOEXIST);
    histogram = bpf_map_lookup_elem(&histograms, &key);
    if (!histogram)
      return 0;
  }
  slot = log2_of(bpf_ktime_get_ns() - start->ns);
  if (slot >= PEER_SLOTS)
    slot = PEER_SLOTS - 1;
  __sync_fetch_and_add(&histogram->slots[slot], 1);
  return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/* What peers.bpf.c and peers.c share. */
#ifndef ISOSCOPE_BENCH_PEERS_H
#define ISOSCOPE_BENCH_PEERS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define PEER_SLOTS 64

struct peer_key {
  __u32 tid;
  __u32 reason;
};

struct peer_histogram {
  __u32 slots[PEER_SLOTS];
};

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * peers PROGRAM - attaches one of the programs of peers.bpf.c, prints `attached`, and waits for SIGINT or
 * SIGTERM. Then prints as one line of JSON what it saw, so that nobody takes the cost of a program that was
 * not there for a low one.
 *
 *   empty_exit, empty_switch  runs of the program while kernel.bpf_stats_enabled was 1: it does nothing by
 *                             which it could tell otherwise
 *   hash_exits                finished exits by reason
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "peers.h"
#include "peers.skel.h"

static void wait_for_signal(const sigset_t* signals) {
  int signal;

  puts("attached");
  fflush(stdout);
  sigwait(signals, &signal);
}

static int print_runs(const struct bpf_program* program) {
  struct bpf_prog_info info = {0};
  __u32 size = sizeof(info);

  if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size)) {
    fprintf(stderr, "peers: %s: %s\n", bpf_program__name(program), strerror(errno));
    return 1;
  }
  printf("{\"runs\":%llu}\n", (unsigned long long)info.run_cnt);
  return 0;
}

static int print_histograms(const struct bpf_map* map) {
  int fd = bpf_map__fd(map);
  struct peer_key key = {0}, next;
  bool first = true;

  printf("{\"exits\":[");
  for (const void* at = NULL; !bpf_map_get_next_key(fd, at, &next); at = &key) {
    struct peer_histogram histogram;
    unsigned long long exits = 0;

    key = next;
    if (bpf_map_lookup_elem(fd, &key, &histogram)) {
      fprintf(stderr, "peers: histogram of thread %u: %s\n", key.tid, strerror(errno));
      return 1;
    }
    for (int i = 0; i < PEER_SLOTS; i++)
      exits += histogram.slots[i];
    printf("%s{\"tid\":%u,\"reason\":%u,\"exits\":%llu}", first ? "" : ",", key.tid, key.reason, exits);
    first = false;
  }
  printf("]}\n");
  return 0;
}

static int run(struct peers_bpf* skeleton, const char* word, const sigset_t* signals) {
  bool empty_exit = !strcmp(word, "empty_exit");
  bool empty_switch = !strcmp(word, "empty_switch");
  bool hash_exits = !strcmp(word, "hash_exits");

  bpf_program__set_autoload(skeleton->progs.empty_exit, empty_exit);
  bpf_program__set_autoload(skeleton->progs.empty_switch, empty_switch);
  bpf_program__set_autoload(skeleton->progs.hash_exit, hash_exits);
  bpf_program__set_autoload(skeleton->progs.hash_entry, hash_exits);
  if (peers_bpf__load(skeleton) || peers_bpf__attach(skeleton)) {
    fprintf(stderr, "peers: cannot load and attach: %s\n", strerror(errno));
    return 1;
  }
  wait_for_signal(signals);
  peers_bpf__detach(skeleton);
  if (hash_exits)
    return print_histograms(skeleton->maps.histograms);
  return print_runs(empty_exit ? skeleton->progs.empty_exit : skeleton->progs.empty_switch);
}

int main(int argc, char** argv) {
  struct peers_bpf* skeleton;
  sigset_t signals;
  int status;

  if (argc != 2 ||
      (strcmp(argv[1], "empty_exit") && strcmp(argv[1], "empty_switch") && strcmp(argv[1], "hash_exits"))) {
    fputs("usage: peers empty_exit|empty_switch|hash_exits\n", stderr);
    return 2;
  }
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  skeleton = peers_bpf__open();
  if (!skeleton) {
    fprintf(stderr, "peers: cannot open the BPF object: %s\n", strerror(errno));
    return 1;
  }
  status = run(skeleton, argv[1], &signals);
  peers_bpf__destroy(skeleton);
  return status;
}
